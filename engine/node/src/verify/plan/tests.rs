use super::*;

fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

fn named(tables: &[&str]) -> Wanted {
    Wanted {
        tables: names(tables),
        after: None,
    }
}

fn shapes(of: &str, tables: &[(&str, &[&str], &[&str])]) -> Shapes {
    let tables = tables.iter().map(|(table, columns, key)| TableShape {
        schema: "public".to_owned(),
        table: (*table).to_owned(),
        columns: names(columns),
        key: names(key),
    });
    Shapes {
        node: node(of),
        tables: tables.collect(),
    }
}

#[test]
fn columns_are_compared_by_name_whatever_their_order() {
    let all = [
        shapes("n1", &[("t", &["id", "b", "a"], &["id"])]),
        shapes("n2", &[("t", &["a", "b", "id"], &["id"])]),
    ];
    let plans = plans(&all, &Wanted::default()).unwrap();
    assert_eq!(plans.len(), 1);
    assert_eq!(
        (plans[0].part.columns.clone(), plans[0].part.key.clone()),
        (names(&["a", "b", "id"]), names(&["id"]))
    );
    assert!(plans[0].missing_on.is_empty() && plans[0].columns_missing.is_empty());
}

#[test]
fn what_is_missing_somewhere_is_named() {
    let all = [
        shapes("n1", &[("t", &["id", "a"], &["id"]), ("u", &["x"], &[])]),
        shapes("n2", &[("t", &["id"], &["id"])]),
    ];
    let plans = plans(&all, &Wanted::default()).unwrap();
    assert_eq!(
        plans[0].columns_missing,
        BTreeMap::from([("a".to_owned(), vec![node("n2")])])
    );
    assert_eq!(plans[0].part.columns, names(&["id"]));
    assert_eq!(
        (plans[1].name.as_str(), plans[1].missing_on.clone()),
        ("public.u", vec![node("n2")])
    );
}

#[test]
fn nodes_with_other_keys_are_compared_without_one() {
    let all = [
        shapes("n1", &[("t", &["a", "b"], &["a"])]),
        shapes("n2", &[("t", &["a", "b"], &["b"])]),
    ];
    assert!(plans(&all, &Wanted::default()).unwrap()[0].part.key.is_empty());
}

#[test]
fn a_table_is_named_with_or_without_its_schema() {
    let all = [shapes("n1", &[("t", &["a"], &["a"]), ("u", &["a"], &["a"])])];
    for name in ["t", "public.t"] {
        let plans = plans(&all, &named(&[name])).unwrap();
        assert_eq!(plans.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["public.t"]);
    }
    assert!(matches!(
        plans(&all, &named(&["x"])),
        Err(VerifyError::UnknownTable { .. })
    ));
}

#[test]
fn a_run_that_goes_on_begins_behind_the_table_that_was_done_last() {
    let all = [shapes(
        "n1",
        &[
            ("a", &["id"], &["id"]),
            ("b", &["id"], &["id"]),
            ("c", &["id"], &["id"]),
        ],
    )];
    let after = |after: &str| Wanted {
        tables: names(&["a", "c"]),
        after: Some(after.to_owned()),
    };
    let left = |last: &str| -> Vec<String> {
        plans(&all, &after(last))
            .unwrap()
            .into_iter()
            .map(|plan| plan.name)
            .collect()
    };
    assert_eq!(left("public.a"), ["public.c"]);
    assert_eq!(left("public.b"), ["public.c"]);
    assert!(left("public.c").is_empty());
    assert!(matches!(
        plans(&all, &after("public.gone")),
        Err(VerifyError::UnknownTable { table }) if table == "public.gone"
    ));
}

#[test]
fn our_own_tables_are_compared_where_they_are_asked_for() {
    let mut all = [shapes("n1", &[("t", &["id"], &["id"]), ("policies", &["id"], &["id"])])];
    SCHEMA.clone_into(&mut all[0].tables[1].schema);
    let compared = |wanted: &Wanted| -> Vec<String> {
        let plans = plans(&all, wanted).unwrap();
        plans.into_iter().map(|plan| plan.name).collect()
    };
    assert_eq!(compared(&Wanted::default()), ["public.t"]);
    assert_eq!(compared(&named(&["synapse.policies"])), ["synapse.policies"]);
}
