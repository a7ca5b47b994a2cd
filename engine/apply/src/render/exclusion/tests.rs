use synapse_engine_identity::{ColumnId, TableId};
use synapse_engine_plan::{Constrained, KeyClass, Table, TableColumn};

use super::{answered, apart, sent, standing};
use crate::constraints::{Attribute, Constraint, Constraints, Element, Source};
use crate::shape::Shape;

fn table(name: &str) -> Table {
    let column = |name: &str, type_sql: &str, writable| TableColumn {
        name: name.to_owned(),
        type_sql: type_sql.to_owned(),
        class: KeyClass::Exact,
        identity_always: false,
        writable,
    };
    Table {
        id: TableId(1),
        schema: "s".to_owned(),
        name: name.to_owned(),
        columns: vec![
            column("a", "text", true),
            column("g", "integer", false),
            column("id", "bigint", true),
            column("note", "character varying(9)", true),
        ],
        key: vec![ColumnId(2)],
        constrained: Constrained::Enforced,
    }
}

fn constraint(columns: &[(&str, Option<u16>)]) -> Constraint {
    let element = |(sql, column): &(&str, Option<u16>)| Element {
        sql: (*sql).to_owned(),
        column: column.map(ColumnId),
        operator: "OPERATOR(\"pg_catalog\".=)".to_owned(),
        collation: None,
    };
    Constraint {
        name: "c".into(),
        deferrable: false,
        nulls_equal: false,
        elements: columns.iter().map(element).collect(),
        predicate: None,
    }
}

fn constraints() -> Constraints {
    let attribute = |name: &str, source| Attribute {
        name: name.to_owned(),
        source,
    };
    Constraints {
        all: Vec::new(),
        attributes: vec![
            attribute("id", Source::Written),
            attribute("a", Source::Written),
            attribute("g", Source::Stored("length(a)".to_owned())),
            attribute("note", Source::Written),
        ],
        shape: Shape::builtin(1),
    }
}

#[test]
fn a_constraint_on_columns_is_sent_these_and_the_key() {
    let (table, mut constraint) = (table("t"), constraint(&[("a", Some(0))]));
    constraint.elements[0].collation = Some("s.\"Ci\"".to_owned());
    assert_eq!(sent(&table, &constraint), [ColumnId(0), ColumnId(2)]);
    assert_eq!(answered(&table), [ColumnId(0), ColumnId(2), ColumnId(3)]);
    let sql = standing(&table, &constraints(), &constraint);
    let images = "WITH image AS MATERIALIZED (SELECT u.ord, e.* FROM unnest($1, $2) WITH ORDINALITY AS u(c0, c1, ord) \
         CROSS JOIN LATERAL (SELECT \"id\" AS k0, a AS e0 FROM (SELECT u.c0::text AS \"a\", u.c1::bigint AS \"id\") AS \"t\") AS e) ";
    assert!(sql.starts_with(images), "{sql}");
    let condition = "FROM ONLY \"s\".\"t\" AS \"t\" WHERE true AND a OPERATOR(\"pg_catalog\".=) image.e0 COLLATE s.\"Ci\" \
         AND NOT (\"id\" OPERATOR(\"pg_catalog\".=) image.k0)) AS s";
    assert!(sql.ends_with(condition), "{sql}");
}

#[test]
fn expressions_are_over_a_row_of_the_table_with_what_the_server_computes() {
    let (table, constraint) = (table("image"), constraint(&[("lower(a)", None), ("g", None)]));
    assert_eq!(sent(&table, &constraint), [ColumnId(0), ColumnId(2), ColumnId(3)]);
    let sql = apart(&table, &constraints(), &constraint);
    let row = "FROM pg_catalog.unnest(ARRAY[(SELECT ROW(\"id\", \"a\", (length(a)), \"note\")::\"s\".\"image\" FROM \
         (SELECT (d.image ->> 'a')::text AS \"a\", (d.image ->> 'id')::bigint AS \"id\", \
         (d.image ->> 'note')::pg_catalog.\"varchar\" AS \"note\") AS \"image\")]) AS \"image\"";
    assert!(sql.contains(row), "{sql}");
    assert!(sql.starts_with("WITH sent AS MATERIALIZED"), "{sql}");
}

#[test]
fn equal_nulls_have_a_condition_for_each_choice_and_only_so_many() {
    let mut constraint = constraint(&[("a", Some(0)); 6]);
    let branches = |constraint: &Constraint| {
        let sql = standing(&table("t"), &constraints(), constraint);
        (sql.matches(" UNION ALL ").count() + 1, sql.matches(" OR ").count())
    };
    assert_eq!(branches(&constraint), (1, 0));
    constraint.nulls_equal = true;
    assert_eq!(branches(&constraint), (16, 32));
    constraint.elements.truncate(2);
    assert_eq!(branches(&constraint), (4, 0));
}
