use synapse_engine_identity::{KeyHash, TableId};

use super::*;

fn row(number: u8) -> RowId {
    let (table, key) = (TableId(1), KeyHash([number; 16]));
    RowId { table, key }
}

fn written(again: &[RowId], absent: &[RowId]) -> Event {
    let (again, absent) = (again.to_vec(), absent.to_vec());
    Event::Written { again, absent }
}

/// A lane that has written rows 1 to 3 once.
fn lane() -> Lane {
    let mut lane = Lane::new(vec![row(3)], 7);
    let all = vec![row(1), row(2), row(3)];
    assert_eq!(
        lane.advance(Event::Executed(vec![row(2), row(1)])),
        Action::Lock(all.clone())
    );
    assert_eq!(lane.advance(Event::Locked), Action::Barrier(7));
    assert_eq!(lane.advance(Event::BarrierRead), Action::Write(all));
    lane
}

#[test]
fn rows_that_appeared_are_locked_again() {
    let mut lane = lane();
    assert_eq!(lane.advance(written(&[row(2)], &[])), Action::Lock(vec![row(2)]));
    assert_eq!(lane.advance(Event::Locked), Action::Barrier(8));
    assert_eq!(lane.advance(Event::BarrierRead), Action::Write(vec![row(2)]));
    assert_eq!(lane.advance(written(&[], &[])), Action::Commit);
}

#[test]
fn absent_rows_are_locked_again_when_something_late_was_waited_for() {
    let mut lane = lane();
    assert_eq!(lane.advance(written(&[row(3)], &[row(1)])), Action::AwaitLate);
    assert_eq!(lane.advance(Event::LateVisible), Action::Lock(vec![row(1), row(3)]));
    assert_eq!(lane.advance(Event::Locked), Action::Barrier(8));
    assert_eq!(lane.advance(Event::BarrierRead), Action::Write(vec![row(1), row(3)]));
    // What is absent now is absent.
    assert_eq!(lane.advance(written(&[], &[row(1)])), Action::Commit);
}

#[test]
fn absent_rows_are_left_alone_when_nothing_is_late() {
    let mut lane = lane();
    assert_eq!(lane.advance(written(&[row(3)], &[row(1)])), Action::AwaitLate);
    assert_eq!(lane.advance(Event::NoneLate), Action::Lock(vec![row(3)]));
}

#[test]
fn a_row_that_keeps_appearing_ends_the_transaction() {
    let mut lane = lane();
    let mut rounds = 1;
    while lane.advance(written(&[row(1)], &[])) != Action::GiveUp {
        rounds += 1;
        lane.advance(Event::Locked);
        lane.advance(Event::BarrierRead);
    }
    assert_eq!(rounds, ROUNDS_MAX);
}
