mod foreign_key;

use synapse_wal_types::{Lsn, Xid};

use super::{
    Answer, Durability, Guard, Kind, OnConflict, Server, SessionId, SqlState, Statement, Step, Table, Target, Temper,
};
use crate::rng::Rng;

struct Bench {
    server: Server,
    rng: Rng,
}

impl Bench {
    fn new() -> Self {
        let temper = Temper {
            failures_per_mille: 0,
            late_percent: 0,
        };
        Bench {
            server: Server::new(temper, 0),
            rng: Rng::new(1),
        }
    }

    /// Runs a statement until it ends or waits; flushes whenever a commit asks for it.
    fn run(&mut self, session: SessionId, statement: Statement) -> Option<Result<Answer, SqlState>> {
        self.server.submit(session, statement);
        self.go_on(session)
    }

    fn go_on(&mut self, session: SessionId) -> Option<Result<Answer, SqlState>> {
        loop {
            match self.server.step(session, 0, &mut self.rng) {
                Step::Again(_) => {}
                Step::Done(result) => return Some(result),
                Step::Blocked if std::mem::take(&mut self.server.flush_wanted) => {
                    let all = self.server.wal.inserted();
                    self.server.flush(all);
                }
                Step::Blocked => return None,
            }
        }
    }

    fn ok(&mut self, session: SessionId, statement: Statement) -> Answer {
        self.run(session, statement)
            .expect("nothing to wait for")
            .expect("nothing to fail at")
    }

    fn open(&mut self) -> SessionId {
        let session = self.server.connect(Kind::Application);
        self.ok(session, Statement::Begin);
        session
    }

    fn committed_row(&mut self, durability: Durability) {
        let session = self.open();
        self.ok(session, insert(OnConflict::Fail));
        self.ok(session, Statement::Commit(durability));
    }
}

fn insert(on_conflict: OnConflict) -> Statement {
    Statement::Insert {
        table: Table::Plain,
        rows: vec![vec![Some(1), Some(10), Some(20)]],
        on_conflict,
    }
}

fn update(guard: Option<Guard>) -> Statement {
    let targets = vec![Target::new(1, vec![(1, Some(11))])];
    Statement::Update {
        table: Table::Plain,
        targets,
        guard,
    }
}

fn delete() -> Statement {
    Statement::Delete {
        table: Table::Plain,
        keys: vec![1],
        guard: None,
    }
}

#[test]
fn a_crash_forgets_what_was_committed_and_not_flushed() {
    let mut bench = Bench::new();
    bench.committed_row(Durability::Asynchronous);
    assert_eq!(bench.server.rows(Table::Plain).len(), 1);
    assert_eq!(bench.server.crash().len(), 1);
    assert!(bench.server.rows(Table::Plain).is_empty());
}

#[test]
fn a_flushed_commit_survives_a_crash_and_takes_those_before_it_along() {
    let mut bench = Bench::new();
    bench.committed_row(Durability::Asynchronous);
    let session = bench.open();
    bench.ok(session, update(None));
    bench.ok(session, Statement::Commit(Durability::Flushed));
    assert_eq!(bench.server.crash().len(), 0);
    assert_eq!(bench.server.rows(Table::Plain), [vec![Some(1), Some(11), Some(20)]]);
}

#[test]
fn a_walsender_sends_nothing_before_its_flush() {
    let mut bench = Bench::new();
    bench.committed_row(Durability::Asynchronous);
    assert!(bench.server.next_to_send(Lsn::ZERO).is_none());
    let all = bench.server.wal.inserted();
    bench.server.flush(all);
    assert!(bench.server.next_to_send(Lsn::ZERO).is_some());
}

#[test]
fn on_conflict_do_nothing_waits_for_the_other_inserter() {
    for (end, inserted) in [(Statement::Commit(Durability::Flushed), 0), (Statement::Rollback, 1)] {
        let mut bench = Bench::new();
        let (one, other) = (bench.open(), bench.open());
        bench.ok(one, insert(OnConflict::Fail));
        assert_eq!(bench.run(other, insert(OnConflict::Nothing)), None);
        bench.ok(one, end);
        let answer = bench.go_on(other).unwrap().unwrap();
        assert_eq!(answer.count, inserted);
    }
}

#[test]
fn an_update_that_waited_looks_again_at_the_new_version() {
    let mut bench = Bench::new();
    bench.committed_row(Durability::Flushed);
    let (one, other) = (bench.open(), bench.open());
    bench.ok(one, delete());
    assert_eq!(bench.run(other, update(None)), None);
    bench.ok(one, Statement::Commit(Durability::Flushed));
    assert_eq!(bench.go_on(other).unwrap().unwrap().count, 0);
}

#[test]
fn a_guard_is_checked_on_the_version_that_is_replaced() {
    let mut bench = Bench::new();
    bench.committed_row(Durability::Flushed);
    let horizon = Some(Xid(bench.server.xacts.next().0));
    let (one, other) = (bench.open(), bench.open());
    bench.ok(one, update(None));
    let guard = Guard {
        ours: vec![1],
        horizon,
        decided_at: Lsn::ZERO,
    };
    assert_eq!(bench.run(other, update(Some(guard))), None, "the version it saw passes");
    bench.ok(one, Statement::Commit(Durability::Flushed));
    assert_eq!(
        bench.go_on(other).unwrap().unwrap().count,
        0,
        "the version it would replace does not"
    );
}

#[test]
fn a_guarded_statement_tells_whose_version_it_replaced() {
    let mut bench = Bench::new();
    let session = bench.open();
    // A subtransaction has an xid of its own, and commits with its parent.
    bench.ok(session, Statement::Savepoint);
    bench.ok(session, insert(OnConflict::Fail));
    bench.ok(session, Statement::Commit(Durability::Flushed));
    let written = bench.server.wal.commits()[0].end;
    let ours = bench.server.connect(Kind::Apply);
    bench.ok(ours, Statement::Begin);
    let (roident, remote) = (1, Lsn(7));
    bench.ok(ours, Statement::Origin { roident, remote });
    for by_application in [Some(written), None] {
        let guard = Guard {
            ours: vec![1],
            horizon: Some(bench.server.xacts.next()),
            decided_at: Lsn(5),
        };
        bench.ok(ours, update(Some(guard)));
        let replaced = bench.server.guarded.pop().expect("one row was replaced");
        assert_eq!((replaced.by_application, replaced.decided_at), (by_application, Lsn(5)));
        bench.ok(ours, Statement::Commit(Durability::Flushed));
        bench.ok(ours, Statement::Begin);
    }
}

#[test]
fn two_sessions_that_wait_for_each_other_are_in_a_deadlock() {
    let mut bench = Bench::new();
    bench.committed_row(Durability::Flushed);
    let (one, other) = (bench.open(), bench.open());
    bench.ok(one, update(None));
    bench.ok(other, Statement::LockTable { table: Table::Toast });
    assert_eq!(bench.run(other, update(None)), None);
    assert!(!bench.server.deadlocked(other));
    assert_eq!(bench.run(one, Statement::Truncate { table: Table::Toast }), None);
    assert!(bench.server.deadlocked(one) && bench.server.deadlocked(other));
}

#[test]
fn what_a_savepoint_takes_back_is_neither_seen_nor_sent() {
    let mut bench = Bench::new();
    bench.committed_row(Durability::Flushed);
    let session = bench.open();
    bench.ok(session, Statement::Savepoint);
    bench.ok(session, delete());
    bench.ok(session, Statement::RollbackToSavepoint);
    bench.ok(session, update(None));
    bench.ok(session, Statement::Commit(Durability::Flushed));
    assert_eq!(bench.server.rows(Table::Plain), [vec![Some(1), Some(11), Some(20)]]);
    assert_eq!(bench.server.wal.commits()[1].items.len(), 1);
}
