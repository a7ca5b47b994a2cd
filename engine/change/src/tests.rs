use std::sync::Arc;

use proptest::prelude::*;

use crate::{Change, ChangeSet, Column, FlatChange, Identity, Old, OpCode, Relation, Value};

fn relation(columns: usize) -> Arc<Relation> {
    let columns = (0..columns)
        .map(|n| Column {
            name: format!("c{n}"),
            key: n == 0,
            type_oid: 25,
        })
        .collect();
    Arc::new(Relation {
        schema: "public".into(),
        name: "t".into(),
        identity: Identity::Default,
        columns,
    })
}

#[test]
fn what_is_read_is_what_was_pushed() {
    let t = relation(2);
    let mut set = ChangeSet::new();
    set.push(&t, OpCode::Insert, 1, [Value::Text(b"1"), Value::Null])
        .unwrap();
    set.push(
        &t,
        OpCode::UpdateOldKey,
        1,
        [Value::Text(b"1"), Value::Null, Value::Text(b"2"), Value::Unchanged],
    )
    .unwrap();
    set.push(&t, OpCode::TruncateRestart, 1, []).unwrap();
    set.push(&t, OpCode::DeleteFull, 2, [Value::Text(b""), Value::Binary(b"x")])
        .unwrap();
    assert!(
        matches!(set.get(0), Change::Insert { new, .. } if new.get(0) == Value::Text(b"1") && new.get(1) == Value::Null)
    );
    let Change::Update {
        old: Some(Old::Key(old)),
        new,
        ..
    } = set.get(1)
    else {
        panic!("{:?}", set.get(1))
    };
    assert_eq!(
        (old.get(0), new.get(0), new.get(1)),
        (Value::Text(b"1"), Value::Text(b"2"), Value::Unchanged)
    );
    assert!(matches!(
        set.get(2),
        Change::Truncate {
            restart_identity: true,
            ..
        }
    ));
    assert!(matches!(set.get(3), Change::Delete { old: Old::Full(row), .. } if row.get(0) == Value::Text(b"")));
}

#[test]
fn changes_of_a_rolled_back_subtransaction_are_left_out() {
    let t = relation(1);
    let mut set = ChangeSet::new();
    for xid in [1, 2, 1] {
        set.push(&t, OpCode::Insert, xid, [Value::Text(xid.to_string().as_bytes())])
            .unwrap();
    }
    let mut kept = ChangeSet::new();
    kept.extend_from(&set, 0..3, |xid| xid != 2).unwrap();
    assert_eq!(
        kept.iter(0..kept.len())
            .map(|c| format!("{c:?}"))
            .filter(|c| c.contains("\"2\""))
            .count(),
        0
    );
    assert_eq!(kept.len(), 2);
}

#[test]
#[should_panic(expected = "a value for every column")]
fn a_tuple_of_the_wrong_width_is_a_bug() {
    let _ = ChangeSet::new().push(&relation(2), OpCode::Insert, 1, [Value::Null]);
}

#[test]
fn parts_that_point_outside_are_refused() {
    let t = relation(1);
    let mut set = ChangeSet::new();
    set.push(&t, OpCode::Insert, 1, [Value::Text(b"abc")]).unwrap();
    let (relations, changes, values, arena) = set.parts();
    let rebuild = |changes: &[FlatChange], arena: &[u8]| {
        ChangeSet::from_parts(relations.to_vec(), changes.to_vec(), values.to_vec(), arena.to_vec())
    };
    assert_eq!(rebuild(changes, arena).as_ref(), Ok(&set));
    assert!(rebuild(changes, &arena[1..]).is_err());
    assert!(rebuild(&[], arena).is_err());
    assert!(
        rebuild(
            &[FlatChange {
                relation: 1,
                ..changes[0]
            }],
            arena
        )
        .is_err()
    );
    assert!(
        rebuild(
            &[FlatChange {
                first_value: 1,
                ..changes[0]
            }],
            arena
        )
        .is_err()
    );
    assert!(
        rebuild(
            &[FlatChange {
                op: OpCode::UpdateOldFull,
                ..changes[0]
            }],
            arena
        )
        .is_err()
    );
}

proptest! {
    #[test]
    fn values_of_any_bytes_read_back(rows in proptest::collection::vec(proptest::collection::vec(proptest::option::of(".{0,9}"), 3), 0..20)) {
        let t = relation(3);
        let mut set = ChangeSet::new();
        for row in &rows {
            let values = row.iter().map(|v| v.as_ref().map_or(Value::Null, |text| Value::Text(text.as_bytes())));
            set.push(&t, OpCode::Insert, 0, values).unwrap();
        }
        for (at, row) in rows.iter().enumerate() {
            let Change::Insert { new, .. } = set.get(at) else { panic!() };
            let read: Vec<_> = new.iter().map(|v| match v { Value::Text(b) => Some(String::from_utf8(b.to_vec()).unwrap()), Value::Null | Value::Unchanged | Value::Binary(_) => None }).collect();
            prop_assert_eq!(&read, row);
        }
    }
}
