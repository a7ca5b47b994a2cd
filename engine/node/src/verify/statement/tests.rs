use super::*;

fn part(key: &[&str]) -> TablePart {
    TablePart {
        schema: "public".to_owned(),
        table: "a\"b".to_owned(),
        columns: vec!["id".to_owned(), "v".to_owned()],
        key: key.iter().map(|k| (*k).to_owned()).collect(),
    }
}

#[test]
fn names_are_quoted() {
    let sql = digests(&part(&["id"]), 1024);
    assert!(sql.contains("FROM ONLY \"public\".\"a\"\"b\" AS t"), "{sql}");
    assert!(
        sql.contains("md5(ROW(t.\"id\")::text) AS k, md5(ROW(t.\"id\", t.\"v\")::text) AS r"),
        "{sql}"
    );
    assert!(sql.contains("& 1023"), "{sql}");
}

#[test]
fn a_table_without_a_key_is_divided_by_its_rows() {
    let sql = keys(&part(&[]), 16);
    assert!(
        sql.starts_with("SELECT md5(ROW(t.\"id\", t.\"v\")::text)") && sql.ends_with("GROUP BY 1"),
        "{sql}"
    );
}

#[test]
fn a_key_is_found_by_its_text_where_its_type_is_unknown() {
    let catalog = Catalog {
        tables: Vec::new(),
        why_not_replicated: Vec::new(),
    };
    let sql = rows(&part(&["id", "v"]), &catalog);
    let join = "JOIN unnest($1::text[], $2::text[]) AS w(k1, k2) ON format('%s', t.\"id\") = w.k1 AND format('%s', t.\"v\") = w.k2";
    assert!(sql.ends_with(join), "{sql}");
}

#[test]
fn a_column_may_have_the_name_of_an_alias() {
    let catalog = Catalog {
        tables: Vec::new(),
        why_not_replicated: Vec::new(),
    };
    let sql = values(&part(&["id"]), &catalog);
    assert!(
        sql.contains("row_to_json(x.*)"),
        "a bare x would be the column of that name: {sql}"
    );
}
