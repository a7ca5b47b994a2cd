//! Registers against a definition that knows the whole history, and rows of replicas that know registers only.

mod history;
mod replica;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use synapse_engine_identity::{ColumnId, ColumnSet, Epoch, Hlc, WriteOp};
use synapse_wal_types::Lsn;

use super::{Author, OriginIndex, Register, Target};
use crate::rules::Policies;
use history::{COLUMNS, History, ORIGINS, TABLE, Txn, Winners, origins};
use replica::{Cluster, Step, steps};

/// What a register says by itself, under these policies.
fn said(register: &Register, policies: &Policies) -> Option<Winners> {
    match register.target(&policies.book(TABLE, &origins()), None) {
        Target::Untouched | Target::Dead => None,
        Target::Live(winners) => Some(std::array::from_fn(|column| {
            let column = ColumnId(u16::try_from(column).unwrap());
            let by = winners.iter().find(|(_, carried)| carried.contains(column))?;
            Some((by.0.origin.0, by.0.lsn.0))
        })),
    }
}

fn observe(register: &mut Register, txn: &Txn) {
    for op in &txn.ops {
        register.observe(txn.author(), (&op.write(), false), |author| txn.saw(author));
    }
}

/// A history that could have happened: replicas wrote what they could write.
fn histories() -> impl Strategy<Value = History> {
    steps().prop_map(|steps| Cluster::run(&steps, false).history)
}

proptest! {
    #[test]
    fn every_order_that_respects_causality_gives_the_same_winners(
        history in histories(),
        turns in proptest::collection::vec(any::<prop::sample::Index>(), 64),
    ) {
        let mut register = Register::default();
        for txn in history.in_some_order(&turns) {
            observe(&mut register, txn);
        }
        prop_assert_eq!(said(&register, &history.policies), history.expected());
    }

    #[test]
    fn noting_twice_changes_nothing(history in histories()) {
        let mut register = Register::default();
        for txn in &history.txns {
            observe(&mut register, txn);
            let once = register.clone();
            observe(&mut register, txn);
            prop_assert_eq!(&register, &once);
        }
        // A log that is read again from its beginning, as after a crash.
        let once = said(&register, &history.policies);
        for txn in &history.txns {
            observe(&mut register, txn);
        }
        prop_assert_eq!(said(&register, &history.policies), once);
    }

    #[test]
    fn a_register_is_bounded_by_origins_and_columns(
        history in histories(),
        turns in proptest::collection::vec(any::<prop::sample::Index>(), 64),
    ) {
        let mut register = Register::default();
        for txn in history.in_some_order(&turns) {
            observe(&mut register, txn);
            let with_a_say = register.entries.iter().filter(|e| e.existence != crate::entry::Existence::Overruled);
            prop_assert!(with_a_say.count() <= ORIGINS);
            prop_assert!(register.entries.len() <= ORIGINS * (COLUMNS + 1));
        }
    }

    #[test]
    fn rows_end_alike_with_and_without_pruning(steps in steps()) {
        // What an application meets meanwhile may differ: a row comes back a moment later where its values are asked for.
        for cluster in [Cluster::run(&steps, false), Cluster::run(&steps, true)] {
            for row in cluster.rows() {
                prop_assert_eq!(row, cluster.history.expected());
            }
        }
    }
}

#[test]
fn the_random_clusters_prune_and_bring_rows_back() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut pruned, mut revived) = (0, 0);
    for _ in 0..500 {
        let steps: Vec<Step> = steps().new_tree(&mut runner).unwrap().current();
        let cluster = Cluster::run(&steps, true);
        pruned += cluster.pruned;
        revived += cluster.revived;
    }
    assert!(pruned > 100 && revived > 20, "{pruned} pruned, {revived} revived");
}

fn author(origin: u8, at: u64) -> Author {
    let (hlc, origin, lsn, epoch) = (Hlc(at), OriginIndex(origin), Lsn(at), Epoch(0));
    Author {
        hlc,
        origin,
        lsn,
        epoch,
    }
}

fn column(at: u16) -> ColumnSet {
    [ColumnId(at)].into_iter().collect()
}

#[test]
fn what_a_transaction_wrote_before_it_deleted_comes_back_with_the_row() {
    let (base, deleter, reviver) = (author(0, 1), author(0, 2), author(1, 3));
    let mut register = Register::default();
    let whole = ColumnSet::new();
    register.observe(base, (&WriteOp::Insert { missing: whole.clone() }, false), |_| false);
    let (saw_base, only_big) = (|a: Author| a == base, column(0));
    register.observe(deleter, (&WriteOp::Update { missing: only_big }, false), saw_base);
    register.observe(deleter, (&WriteOp::Delete, false), saw_base);
    assert_eq!(said(&register, &Policies::default()), None);
    register.observe(reviver, (&WriteOp::Update { missing: column(1) }, false), saw_base);
    assert_eq!(
        said(&register, &Policies::default()),
        Some([Some((1, 3)), Some((0, 2)), Some((1, 3))])
    );
}

#[test]
fn an_insert_that_lacks_a_value_has_not_that_of_an_earlier_life() {
    for deleted_by_itself in [false, true] {
        let (base, moved) = (author(0, 1), author(1, 3));
        let mut register = Register::default();
        let missing = ColumnSet::new();
        register.observe(base, (&WriteOp::Insert { missing }, false), |_| false);
        if deleted_by_itself {
            register.observe(moved, (&WriteOp::Delete, false), |a| a == base);
        } else {
            register.observe(author(0, 2), (&WriteOp::Delete, false), |a| a == base);
        }
        register.observe(moved, (&WriteOp::Insert { missing: column(2) }, false), |_| true);
        assert_eq!(
            said(&register, &Policies::default()),
            Some([Some((1, 3)), Some((1, 3)), None])
        );
    }
}
