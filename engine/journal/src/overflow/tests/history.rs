//! Registers over the disk, against registers that stay in memory, in histories that a cluster could have.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use synapse_engine_identity::{
    ColumnId, ColumnSet, Context, Epoch, Hlc, Incarnation, Origin, RowId, Stamp, TableId, TxnId, WriteOp,
};
use synapse_engine_replication::{MemoryOverflow, Overflow, Registers, Standing, Target, Verdict};
use synapse_wal_types::Lsn;

use super::{DiskOverflow, row};

const NODES: usize = 3;
const LIMIT: usize = 8;

#[derive(Clone, Debug)]
enum Step {
    Write { node: usize, key: u64, op: WriteOp },
    Truncate { node: usize },
    Hear { node: usize, from: usize },
    Look { key: u64 },
    Prune,
}

/// Who has applied what, and what time it is for whom.
struct World {
    applied: [[u64; NODES]; NODES],
    hlc: [u64; NODES],
    lsn: u64,
}

fn origin(node: usize) -> Origin {
    Origin {
        node: format!("n{node}").parse().unwrap(),
        incarnation: Incarnation(1),
    }
}

impl World {
    fn stamp(&mut self, node: usize) -> Stamp {
        self.lsn += 8;
        self.hlc[node] += 1;
        self.applied[node][node] = self.lsn;
        let others = (0..NODES).filter(|k| *k != node && self.applied[node][*k] > 0);
        let context: Context = others.map(|k| (origin(k), Lsn(self.applied[node][k]))).collect();
        Stamp {
            txn: TxnId {
                origin: origin(node),
                lsn: Lsn(self.lsn),
            },
            context: Arc::new(context),
            hlc: Hlc(self.hlc[node]),
            epoch: Epoch(0),
        }
    }

    fn hear(&mut self, node: usize, from: usize) {
        for k in 0..NODES {
            self.applied[node][k] = self.applied[node][k].max(self.applied[from][k]);
        }
        self.hlc[node] = self.hlc[node].max(self.hlc[from]);
    }

    fn stable(&self, of: Origin, lsn: Lsn) -> bool {
        lsn <= self.stable_up_to(of)
    }

    fn stable_up_to(&self, of: Origin) -> Lsn {
        let k = (0..NODES).find(|k| origin(*k) == of).unwrap();
        Lsn(self.applied.iter().map(|applied| applied[k]).min().unwrap())
    }
}

fn ops() -> impl Strategy<Value = WriteOp> {
    let columns = vec(0_u16..4, 0..3);
    prop_oneof![
        Just(WriteOp::Insert {
            missing: ColumnSet::new()
        }),
        columns.prop_map(|columns| WriteOp::Update {
            missing: columns.into_iter().map(ColumnId).collect()
        }),
        Just(WriteOp::Delete),
    ]
}

fn steps(truncates: u32, prunes: u32) -> impl Strategy<Value = Vec<Step>> {
    let node = 0..NODES;
    let write = (node.clone(), 0..40_u64, ops()).prop_map(|(node, key, op)| Step::Write { node, key, op });
    let hear = (node.clone(), node.clone()).prop_map(|(node, from)| Step::Hear { node, from });
    let look = (0..40_u64).prop_map(|key| Step::Look { key });
    let truncate = node.prop_map(|node| Step::Truncate { node });
    let step = prop_oneof![
        60 => write, 20 => hear, 20 => look, truncates => truncate, prunes => Just(Step::Prune),
    ];
    vec(step, 1..400)
}

struct Both {
    disk: Registers<DiskOverflow>,
    memory: Registers<MemoryOverflow>,
}

impl Both {
    fn write(&mut self, stamp: &Stamp, row: RowId, op: &WriteOp) {
        if stamp.txn.origin == origin(0) {
            self.disk.note(stamp, row, op);
            self.memory.note(stamp, row, op);
        } else {
            let (disk, memory) = (self.disk.decide(stamp, row, op), self.memory.decide(stamp, row, op));
            assert_eq!(decided(&disk), decided(&memory));
        }
        assert!(self.disk.rows_in_memory() <= LIMIT);
    }

    fn look(&mut self, world: &World, key: u64) {
        let row = row(1, key);
        // What comes back from the disk is pruned with what is in memory.
        self.disk.target(row);
        self.prune(world);
        assert_eq!(
            unstable(self.disk.target(row), &self.disk, world),
            unstable(self.memory.target(row), &self.memory, world)
        );
        let (after, up_to) = (world.stable_up_to(origin(0)), Lsn(world.lsn));
        assert_eq!(
            self.disk.written_here(row, after, up_to),
            self.memory.written_here(row, after, up_to)
        );
    }

    fn prune(&mut self, world: &World) {
        self.disk.prune(|origin, lsn| world.stable(origin, lsn));
        self.memory.prune(|origin, lsn| world.stable(origin, lsn));
    }
}

/// What a verdict leads to. Which of the writes that are stable it met depends on what is forgotten early.
fn decided(verdict: &Verdict) -> (&'static str, Option<Standing>) {
    match verdict {
        Verdict::Plain => ("plain", None),
        Verdict::Lost(met) => ("lost", Some(met.standing)),
        Verdict::Contested(met) => ("contested", Some(met.standing)),
    }
}

/// What unstable writes have a share in. A stable one that is below an unstable delete has been forgotten where it was
/// pruned before the delete came, and not where it was on disk then: it brings values that stand everywhere.
fn unstable<O: Overflow>(target: Target, registers: &Registers<O>, world: &World) -> Target {
    match target {
        Target::Live(mut shares) => {
            shares.retain(|(author, _)| !world.stable(registers.origin(author.origin), author.lsn));
            Target::Live(shares)
        }
        Target::Untouched | Target::Dead => target,
    }
}

fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let mut both = Both {
        disk: Registers::new(origin(0), LIMIT, DiskOverflow::open(dir.path()).unwrap()),
        memory: Registers::new(origin(0), usize::MAX >> 3, MemoryOverflow::default()),
    };
    let mut world = World {
        applied: [[0; NODES]; NODES],
        hlc: [0; NODES],
        lsn: 0,
    };
    for step in steps {
        match step {
            Step::Write { node, key, op } => {
                let stamp = world.stamp(node);
                both.write(&stamp, row(1, key), &op);
            }
            Step::Truncate { node } => {
                let stamp = world.stamp(node);
                both.disk.note_truncate(&stamp, TableId(1));
                both.memory.note_truncate(&stamp, TableId(1));
                assert_eq!(both.disk.survivors(TableId(1)), both.memory.survivors(TableId(1)));
            }
            Step::Hear { node, from } => world.hear(node, from),
            Step::Look { key } => both.look(&world, key),
            Step::Prune => both.prune(&world),
        }
    }
    for key in 0..40 {
        both.look(&world, key);
    }
    world.hear(0, 1);
    world.hear(0, 2);
    world.hear(1, 0);
    world.hear(2, 0);
    both.prune(&world);
    assert!(both.disk.is_empty() && both.memory.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cache_of_eight_rows_decides_as_unlimited_memory_does(steps in steps(0, 4)) {
        run(steps);
    }

    #[test]
    fn truncates_reach_the_rows_on_disk(steps in steps(3, 0)) {
        run(steps);
    }
}
