use synapse_engine_identity::{ColumnId, TableId};
use synapse_engine_plan::{Constrained, KeyClass, Table, TableColumn};

use super::{Op, keyless_delete, parameters, statement, truncate};
use crate::shape::Shape;

fn column(name: &str, type_sql: &str, class: KeyClass) -> TableColumn {
    TableColumn {
        name: name.to_owned(),
        type_sql: type_sql.to_owned(),
        class,
        identity_always: name == "always",
        writable: true,
    }
}

fn table() -> Table {
    Table {
        id: TableId(1),
        schema: "s".to_owned(),
        name: "a\"b".to_owned(),
        columns: vec![
            column("id", "bigint", KeyClass::Exact),
            column("n", "numeric(9,2)", KeyClass::Numeric),
            column("Größe", "character varying(7)[]", KeyClass::Exact),
            column("always", "integer", KeyClass::Exact),
        ],
        key: vec![ColumnId(1), ColumnId(0)],
        constrained: Constrained::No,
    }
}

fn sql(op: Op, columns: &[u16]) -> String {
    let columns: Vec<ColumnId> = columns.iter().copied().map(ColumnId).collect();
    statement(op, &table(), &columns, &Shape::builtin(2))
}

#[test]
fn a_delete_names_the_key_and_the_guard() {
    assert_eq!(
        sql(Op::Delete, &[1, 0]),
        "DELETE FROM ONLY \"s\".\"a\"\"b\" AS t USING unnest($1, $2) WITH ORDINALITY AS u(c0, c1, ord) \
         WHERE t.\"n\" OPERATOR(\"pg_catalog\".=) u.c0::numeric(9,2) \
         AND t.\"id\" OPERATOR(\"pg_catalog\".=) u.c1::bigint \
         AND (age(t.xmin) > (SELECT age($4::text::xid)) OR t.xmin = (SELECT pg_current_xact_id()::xid) \
         OR (pg_xact_commit_timestamp_origin(t.xmin)).roident = ANY ($3)) RETURNING u.ord"
    );
}

#[test]
fn an_update_sets_what_can_differ_and_be_set() {
    // The numeric key too, because 1.0 = 1.00; the exact key and the identity column not.
    let update = sql(Op::UpdateLocked, &[0, 1, 2, 3]);
    assert!(
        update.contains("SET \"n\" = u.c1::numeric(9,2), \"Größe\" = u.c2::pg_catalog.\"varchar\"[] FROM"),
        "{update}"
    );
    assert!(!update.contains("age("), "{update}");
}

#[test]
fn an_update_of_nothing_but_the_key_looks_whether_the_row_is_there() {
    let mut table = table();
    table.key = vec![ColumnId(0)];
    let update = statement(Op::Update, &table, &[ColumnId(0)], &Shape::builtin(1));
    assert!(update.starts_with("SELECT u.ord FROM unnest($1)"), "{update}");
    assert!(
        update.ends_with("FOR NO KEY UPDATE OF t") && update.contains("ANY ($2)"),
        "{update}"
    );
}

#[test]
fn inserts_differ_in_what_may_be_in_the_way() {
    let plain = sql(Op::InsertKeyless, &[0, 3]);
    assert_eq!(
        plain,
        "INSERT INTO \"s\".\"a\"\"b\" (\"id\", \"always\") OVERRIDING SYSTEM VALUE \
         SELECT u.c0::bigint, u.c1::integer FROM unnest($1, $2) AS u(c0, c1)"
    );
    assert_eq!(sql(Op::Insert, &[0, 3]), format!("{plain} ON CONFLICT DO NOTHING"));
    let by_key = format!("{plain} ON CONFLICT (\"n\", \"id\") DO NOTHING");
    assert_eq!(sql(Op::InsertByKey, &[0, 3]), by_key);
    let mut shape = Shape::builtin(2);
    shape.deferrable = true;
    assert_eq!(
        statement(Op::Insert, &table(), &[ColumnId(0), ColumnId(3)], &shape),
        by_key
    );
}

#[test]
fn a_key_is_compared_under_the_collation_of_its_index() {
    let mut shape = Shape::builtin(2);
    shape.collations[1] = Some("pg_catalog.\"C\"".to_owned());
    let lock = statement(Op::Lock, &table(), &[ColumnId(1), ColumnId(0)], &shape);
    assert!(
        lock.contains("u.c1::bigint COLLATE pg_catalog.\"C\" ORDER BY u.ord FOR UPDATE OF t"),
        "{lock}"
    );
}

#[test]
fn a_move_takes_the_old_key_first_and_needs_the_new_one_free() {
    let columns = [ColumnId(0), ColumnId(1)];
    assert_eq!(parameters(Op::Move, &table(), &columns), (4, true));
    let moved = statement(Op::Move, &table(), &columns, &Shape::builtin(2));
    assert!(
        moved.contains("SET \"id\" = u.c2::bigint, \"n\" = u.c3::numeric(9,2)"),
        "{moved}"
    );
    assert!(
        moved.contains("t.\"n\" OPERATOR(\"pg_catalog\".=) u.c0::numeric(9,2)"),
        "{moved}"
    );
    assert!(
        moved.contains("x.\"n\" OPERATOR(\"pg_catalog\".=) u.c3::numeric(9,2)"),
        "{moved}"
    );
}

#[test]
fn declared_lengths_of_strings_are_checked_when_stored_not_cut_by_the_cast() {
    let cast = crate::name::cast_type;
    for (declared, plain) in [
        ("character varying(7)", "pg_catalog.\"varchar\""),
        ("character(3)[]", "pg_catalog.bpchar[]"),
        ("bit(3)", "pg_catalog.\"bit\""),
        ("bit varying(3)", "pg_catalog.varbit"),
        ("pg_catalog.bit", "pg_catalog.\"bit\""),
    ] {
        assert_eq!(cast(declared), plain, "{declared}");
    }
    for kept in [
        "numeric(9,2)",
        "timestamp(3) without time zone",
        "bpchar",
        "public.bitmap",
        "\"bit\"",
    ] {
        assert_eq!(cast(kept), kept);
    }
}

#[test]
fn a_keyless_row_is_found_by_its_text_and_truncate_never_cascades() {
    let delete = keyless_delete(&table(), &[ColumnId(0)]);
    assert!(
        delete.contains("x.\"id\"::text COLLATE \"C\" IS NOT DISTINCT FROM ($1::text::bigint)::text COLLATE \"C\""),
        "{delete}"
    );
    let tables = [table(), table()];
    assert_eq!(
        truncate(tables.iter(), true),
        "TRUNCATE ONLY \"s\".\"a\"\"b\", ONLY \"s\".\"a\"\"b\" RESTART IDENTITY"
    );
}
