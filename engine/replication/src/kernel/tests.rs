use std::sync::Arc;

use synapse_engine_identity::{ColumnSet, Incarnation, KeyHash, TxnId, WriteOp};

use super::*;
use crate::{MemoryOverflow, Met, Outcome, Standing};

const LIMITS: Limits = Limits {
    clock_skew_max_micros: 5_000_000,
    registers_max: 8,
};

fn origin(node: &str, incarnation: u32) -> Origin {
    let (node, incarnation) = (node.parse().unwrap(), Incarnation(incarnation));
    Origin { node, incarnation }
}

fn kernel(members: usize, applied: Context) -> Kernel<MemoryOverflow> {
    let progress = Progress {
        captured: Lsn(100),
        applied: applied.clone(),
        ..Progress::default()
    };
    Kernel::new(
        origin("n3", 1),
        members,
        LIMITS,
        progress,
        applied,
        MemoryOverflow::default(),
    )
}

fn stamp(of: Origin, lsn: u64, context: &[(Origin, u64)]) -> Stamp {
    let context = context.iter().map(|(origin, lsn)| (*origin, Lsn(*lsn))).collect();
    Stamp {
        txn: TxnId {
            origin: of,
            lsn: Lsn(lsn),
        },
        context: Arc::new(context),
        hlc: Hlc(lsn),
        epoch: Epoch::default(),
    }
}

fn update(row: u8) -> Write {
    let (table, key) = (TableId(1), KeyHash([row; 16]));
    let missing = ColumnSet::new();
    Write {
        row: RowId { table, key },
        op: WriteOp::Update { missing },
    }
}

fn marker(origin: Origin, last: u64) -> Marker {
    Marker {
        kind: MarkerKind::Batch,
        origin,
        first: Lsn(last),
        last: Lsn(last),
        hlc: Hlc(last),
        decided_at: Lsn(1),
        epoch: Epoch::default(),
        xmin: Xid(3),
    }
}

fn beat(origin: Origin, applied: &[(Origin, u64)]) -> Heartbeat {
    Heartbeat {
        origin,
        captured: Lsn(900),
        last_txn: Lsn::ZERO,
        applied: applied.iter().map(|(origin, lsn)| (*origin, Lsn(*lsn))).collect(),
        durable: applied.iter().map(|(origin, lsn)| (*origin, Lsn(*lsn))).collect(),
        hlc: Hlc(1),
        clock: Hlc(1),
    }
}

#[test]
fn what_was_applied_is_known_for_every_position_since_the_start() {
    let n1 = origin("n1", 1);
    let mut kernel = kernel(2, Context::from_iter([(n1, Lsn(5))]));
    kernel.marker(Lsn(200), &marker(n1, 10), &[]);
    kernel.marker(Lsn(300), &marker(n1, 20), &[]);
    let applied = |at| kernel.applied_at(Lsn(at)).map(|context| context.get(n1).0);
    assert_eq!(
        [99, 100, 199, 200, 299, 300, 301].map(applied),
        [
            None,
            Some(5),
            Some(5),
            Some(10),
            Some(10),
            Some(20),
            // It has not been read that far.
            None
        ]
    );
}

#[test]
fn a_copied_write_is_resolved_only_with_one_that_the_copy_does_not_hold() {
    let (n1, n2) = (origin("n1", 1), origin("n2", 1));
    let mut kernel = kernel(3, Context::new());
    let copy = Context::from_iter([(n1, Lsn(50)), (n2, Lsn(50))]);
    kernel.begin(MarkerKind::Batch, n1, Lsn(30));
    // Two that the copy holds and that did not see each other: the donor has resolved them.
    assert!(!kernel.decide_copied(&stamp(n1, 10, &[]), &update(1), &copy));
    assert!(!kernel.decide_copied(&stamp(n2, 20, &[]), &update(1), &copy));
    // One that it does not hold is applied, and meets every later one of the copy.
    let later = kernel.decide(&stamp(n2, 60, &[(n1, 10)]), &update(1));
    assert!(!matches!(later, Verdict::Lost(_)), "{later:?}");
    assert!(kernel.decide_copied(&stamp(n1, 30, &[(n2, 20)]), &update(1), &copy));
    assert!(kernel.decide_copied(&stamp(n1, 40, &[(n2, 20)]), &update(1), &copy));
    assert!(!kernel.decide_copied(&stamp(n1, 41, &[(n2, 20)]), &update(2), &copy));
}

#[test]
fn a_new_life_has_applied_nothing_of_what_the_one_before_had() {
    let (n1, old, new) = (origin("n1", 1), origin("n2", 1), origin("n2", 2));
    let mut kernel = kernel(3, Context::new());
    let now = Monotonic::default();
    kernel.heard(&beat(n1, &[]), now);
    kernel.heard(&beat(old, &[(n1, 70)]), now);
    assert_eq!(kernel.stability().applied_by(old.node, n1), Lsn(70));
    kernel.life(new);
    assert_eq!(kernel.stability().applied_by(old.node, n1), Lsn::ZERO);
    // What the old life is heard to have said comes too late.
    kernel.heard(&beat(old, &[(n1, 80)]), now);
    kernel.committed(&stamp(old, 5, &[(n1, 80)]));
    assert_eq!(kernel.stability().applied_by(old.node, n1), Lsn::ZERO);
    assert_eq!(kernel.stability().stable(n1), Lsn::ZERO);
    kernel.heard(&beat(new, &[(n1, 40)]), now);
    assert_eq!(kernel.stability().applied_by(old.node, n1), Lsn(40));
}

#[test]
fn what_was_dropped_is_dropped_again_also_where_registers_do_not_fit() {
    let (n1, n2) = (origin("n1", 1), origin("n2", 1));
    let progress = Progress {
        dropped: [(n1, Lsn(50))].into_iter().collect(),
        ..Progress::default()
    };
    let missing = ColumnSet::new();
    let insert = |row| Write {
        op: WriteOp::Insert {
            missing: missing.clone(),
        },
        ..update(row)
    };
    let targets = |registers_max: usize| {
        let limits = Limits {
            registers_max,
            ..LIMITS
        };
        let overflow = MemoryOverflow::default();
        let mut kernel = Kernel::new(origin("n3", 1), 3, limits, progress.clone(), Context::new(), overflow);
        // Row 1 was dropped; row 2 had an unstable write that the stable one outranks; row 3 is not stable.
        kernel.remember_write(&stamp(n2, 5, &[]), &insert(2));
        kernel.remember_write(&stamp(n1, 10, &[]), &insert(1));
        kernel.remember_write(&stamp(n1, 20, &[]), &insert(2));
        kernel.remember_write(&stamp(n1, 60, &[]), &insert(3));
        for row in 4..20 {
            kernel.remember_write(&stamp(n2, 100 + u64::from(row), &[]), &insert(row));
        }
        kernel.drop_again();
        let mut target = |row| kernel.registers_mut().target(update(row).row);
        [1, 2, 3, 4].map(|row| match target(row) {
            crate::Target::Live(winners) => winners.iter().map(|(author, _)| author.lsn.0).collect(),
            crate::Target::Dead => vec![0],
            crate::Target::Untouched => vec![],
        })
    };
    let all = targets(100);
    assert_eq!(all, [vec![], vec![20], vec![60], vec![104]]);
    assert_eq!(targets(2), all);
}

#[test]
fn nothing_is_pruned_before_every_member_was_heard() {
    let (n1, n2, me) = (origin("n1", 1), origin("n2", 1), origin("n3", 1));
    let progress = Progress {
        forgotten: [(n1, Lsn(50)), (me, Lsn(60))].into_iter().collect(),
        ..Progress::default()
    };
    let overflow = MemoryOverflow::default();
    let mut kernel = Kernel::new(me, 3, LIMITS, progress, Context::new(), overflow);
    assert_eq!((kernel.prunable(n1), kernel.prunable(me)), (Lsn::ZERO, Lsn::ZERO));
    let now = Monotonic::default();
    kernel.heard(&beat(n1, &[(me, 60)]), now);
    assert_eq!((kernel.prunable(n1), kernel.prunable(me)), (Lsn::ZERO, Lsn::ZERO));
    kernel.heard(&beat(n2, &[(n1, 40), (me, 70)]), now);
    assert_eq!((kernel.prunable(n1), kernel.prunable(me)), (Lsn(40), Lsn(60)));
}

#[test]
fn a_transaction_of_too_many_rows_to_take_back_is_decided_again_as_before() {
    let (mut kernel, peer) = (kernel(2, Context::new()), origin("n1", 1));
    let row = |number: u32| {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&number.to_le_bytes());
        let (table, key) = (TableId(1), KeyHash(key));
        RowId { table, key }
    };
    let missing = ColumnSet::new();
    let write = |number| Write {
        row: row(number),
        op: WriteOp::Insert {
            missing: missing.clone(),
        },
    };
    // A local write of one of the rows, later and concurrent.
    let contested = 70_000;
    kernel.note_local(&stamp(origin("n3", 1), 200, &[]), &write(contested));
    let large = stamp(peer, 150, &[]);
    let mut decided = || {
        kernel.begin(MarkerKind::Batch, peer, Lsn(150));
        let verdicts: Vec<Verdict> = (0..=contested)
            .map(|number| kernel.decide(&large, &write(number)))
            .collect();
        kernel.given_up();
        (verdicts, kernel.registers_mut().target(row(contested)))
    };
    let first = decided();
    assert!(first.0.iter().rev().skip(1).all(|verdict| *verdict == Verdict::Plain));
    let met = Met {
        standing: Standing::Live,
        by: TxnId {
            origin: origin("n3", 1),
            lsn: Lsn(200),
        },
        hlc: Hlc(200),
        outcome: Outcome::Local,
        rules: Arc::default(),
    };
    assert_eq!(first.0.last(), Some(&Verdict::Lost(met)));
    assert_eq!(decided(), first);
    // A smaller one after it is taken back again.
    let small = stamp(peer, 300, &[]);
    kernel.begin(MarkerKind::Batch, peer, Lsn(300));
    kernel.decide(&small, &update(9));
    kernel.given_up();
    assert_eq!(kernel.registers_mut().target(update(9).row), crate::Target::Untouched);
}
