//! The locks and checks that come with a foreign key.

use super::{Bench, Kind, SqlState, Statement, Table, Target};
use crate::postgres::{Durability, OnConflict, SessionId};

fn put(key: u64, up: Option<u64>) -> Statement {
    Statement::Insert {
        table: Table::Tree,
        rows: vec![vec![Some(key), up, Some(10 * key)]],
        on_conflict: OnConflict::Fail,
    }
}

fn remove(key: u64) -> Statement {
    Statement::Delete {
        table: Table::Tree,
        keys: vec![key],
        guard: None,
    }
}

fn set(key: u64, column: usize, value: u64) -> Statement {
    Statement::Update {
        table: Table::Tree,
        targets: vec![Target::new(key, vec![(column, Some(value))])],
        guard: None,
    }
}

/// With row 1, and nobody else.
fn family() -> Bench {
    let mut bench = Bench::new();
    let session = bench.open();
    bench.ok(session, put(1, None));
    bench.ok(session, Statement::Commit(Durability::Flushed));
    bench
}

fn commit(bench: &mut Bench, session: SessionId) {
    bench.ok(session, Statement::Commit(Durability::Flushed));
}

#[test]
fn a_child_waits_for_whoever_deletes_its_parent_and_is_refused() {
    let mut bench = family();
    let (one, other) = (bench.open(), bench.open());
    bench.ok(one, remove(1));
    assert_eq!(bench.run(other, put(2, Some(1))), None);
    commit(&mut bench, one);
    assert_eq!(bench.go_on(other), Some(Err(SqlState::ForeignKeyViolation)));
}

#[test]
fn who_deletes_a_parent_waits_for_the_childs_transaction_and_takes_the_child_along() {
    let mut bench = family();
    let (one, other) = (bench.open(), bench.open());
    bench.ok(one, put(2, Some(1)));
    bench.ok(one, put(3, Some(2)));
    assert_eq!(bench.run(other, remove(1)), None);
    commit(&mut bench, one);
    assert!(bench.go_on(other).is_some_and(|result| result.is_ok()));
    commit(&mut bench, other);
    assert!(bench.server.rows(Table::Tree).is_empty());
}

#[test]
fn an_update_that_keeps_the_key_and_a_child_do_not_wait_for_each_other() {
    let mut bench = family();
    let (one, other, third) = (bench.open(), bench.open(), bench.open());
    bench.ok(one, set(1, 2, 11));
    bench.ok(other, put(2, Some(1)));
    commit(&mut bench, one);
    bench.ok(third, set(1, 2, 12));
    commit(&mut bench, third);
    // The newest version is held as the one that the child saw.
    let last = bench.open();
    assert_eq!(bench.run(last, remove(1)), None);
    commit(&mut bench, other);
    assert!(bench.go_on(last).is_some_and(|result| result.is_ok()));
}

#[test]
fn a_key_that_is_referred_to_is_not_given_up() {
    let mut bench = family();
    let session = bench.open();
    bench.ok(session, put(2, Some(1)));
    assert_eq!(
        bench.run(session, set(1, 0, 7)),
        Some(Err(SqlState::ForeignKeyViolation))
    );
}

#[test]
fn no_trigger_acts_on_what_an_applier_writes() {
    let mut bench = family();
    let session = bench.server.connect(Kind::Apply);
    bench.ok(session, Statement::Begin);
    bench.ok(session, put(2, Some(9)));
    bench.ok(session, put(3, Some(1)));
    bench.ok(session, remove(1));
    let references = Some(vec![1]);
    let orphaned = bench.ok(
        session,
        Statement::Orphaned {
            references,
            rows: vec![2],
        },
    );
    assert_eq!(
        orphaned.rows,
        [vec![Some(9), Some(2), Some(1)], vec![Some(1), Some(3), Some(1)]]
    );
}

#[test]
fn what_is_kept_is_as_it_was_with_what_it_refers_to_also_if_that_is_gone() {
    let mut bench = family();
    let session = bench.open();
    for row in [put(2, Some(1)), put(3, Some(2))] {
        bench.ok(session, row);
    }
    commit(&mut bench, session);
    for key in [1, 2] {
        let session = bench.server.connect(Kind::Apply);
        bench.ok(session, Statement::Begin);
        bench.ok(session, Statement::Keep { key });
        bench.ok(session, remove(key));
        commit(&mut bench, session);
    }
    let kept = bench.server.rows(Table::Orphans);
    let kept: Vec<&[Option<u64>]> = kept.iter().map(|row| &row[1..5]).collect();
    let one = [Some(1), Some(1), None, Some(10)];
    let two = [Some(2), Some(2), Some(1), Some(20)];
    let beside = [None, Some(1), None, Some(10)];
    assert_eq!(kept, [&one[..], &two[..], &beside[..]]);
}
