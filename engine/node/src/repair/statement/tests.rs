use serde_json::json;

use super::*;

/// A catalogue of one table `public.t` with these columns: name, whether out of line, generated, identity.
fn catalog(columns: &[(&str, bool, &str, &str)]) -> Catalog {
    let columns: Vec<serde_json::Value> = columns
        .iter()
        .zip(1..)
        .map(|((name, toastable, generated, identity), attnum)| {
            let (type_name, oid) = if *toastable { ("text", 25) } else { ("integer", 23) };
            json!({ "name": name, "attnum": attnum, "type_name": type_name, "type_oid": oid, "type_kind": "base",
                "type_category": "N", "not_null": false, "generated": generated, "identity": identity,
                "deterministic": true, "toastable": toastable,
                "base": { "name": type_name, "oid": oid, "kind": "base", "category": "N",
                    "element_oid": null, "element_name": null } })
        })
        .collect();
    let table = json!({ "oid": 16400, "schema": "public", "name": "t", "kind": "ordinary", "replica_identity": "default",
        "columns": columns, "primary_key": null, "identity_index": null, "unique_indexes": [], "exclusions": [],
        "foreign_keys": false, "referenced": false, "apply_triggers": [], "row_security": "off" });
    serde_json::from_value(json!({ "tables": [table], "why_not_replicated": [] })).unwrap()
}

fn part() -> TablePart {
    TablePart {
        schema: "public".to_owned(),
        table: "t".to_owned(),
        columns: vec!["id".to_owned()],
        key: vec!["id".to_owned()],
    }
}

const ID: (&str, bool, &str, &str) = ("id", false, "no", "no");

fn set(columns: &[(&str, bool, &str, &str)]) -> Option<String> {
    let sql = send(&part(), &catalog(columns))?;
    let (set, _) = sql.split_once(" FROM unnest").unwrap();
    Some(
        set.strip_prefix("UPDATE ONLY \"public\".\"t\" AS t SET ")
            .unwrap()
            .to_owned(),
    )
}

#[test]
fn values_that_may_be_out_of_line_are_stored_anew() {
    let anew = "\"a\" = CASE WHEN t.\"a\" IS DISTINCT FROM NULL THEN format('%s', t.\"a\")::text END";
    let columns = [
        ID,
        ("n", false, "no", "no"),
        ("a", true, "no", "no"),
        ("g", true, "stored", "no"),
    ];
    assert_eq!(set(&columns).as_deref(), Some(anew));
}

#[test]
fn where_all_values_are_in_the_row_one_column_is_set_to_itself() {
    let n = ("n", false, "no", "no");
    assert_eq!(set(&[ID, n]).as_deref(), Some("\"n\" = t.\"n\""));
    assert_eq!(
        set(&[ID]).as_deref(),
        Some("\"id\" = t.\"id\""),
        "the key where there is nothing else"
    );
}

#[test]
fn what_an_update_may_not_set_is_not_set() {
    let columns = [("id", false, "no", "always"), ("g", false, "stored", "no")];
    assert_eq!(set(&columns), None);
}

#[test]
fn rows_that_somebody_has_locked_are_not_waited_for() {
    let send = lock(&part(), &catalog(&[ID]), Act::Send);
    assert!(send.ends_with("FOR NO KEY UPDATE OF t SKIP LOCKED"), "{send}");
    let delete = lock(&part(), &catalog(&[ID]), Act::Delete);
    assert!(delete.ends_with("FOR UPDATE OF t SKIP LOCKED"), "{delete}");
}
