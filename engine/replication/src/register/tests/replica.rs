//! Replicas of one row: each has the row as it stands, and a register. They write, hear of each other's writes, and prune.

use proptest::prelude::*;

use super::super::{Author, Register, Target};
use super::history::{COLUMNS, History, ORIGINS, Op, TABLE, Txn, Winners, column_id, origins};
use super::observe;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A replica writes; the numbers choose what, and how far its clock has jumped.
    Write {
        at: u8,
        choice: u8,
        columns: u8,
        jump: u8,
    },
    /// A replica applies the next transaction of another, if it may.
    Deliver {
        at: u8,
        of: u8,
    },
    Prune {
        at: u8,
    },
    /// The first replica sets a policy.
    Policy {
        choice: u8,
    },
    /// Everything is delivered to everyone, and everyone prunes.
    Settle,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let replica = || 0..u8::try_from(ORIGINS).expect("a few");
    let write = (replica(), 0_u8..12, 1_u8..8, 0_u8..20);
    let step = prop_oneof![
        3 => write.prop_map(|(at, choice, columns, jump)| Step::Write { at, choice, columns, jump }),
        5 => (replica(), replica()).prop_map(|(at, of)| Step::Deliver { at, of }),
        1 => replica().prop_map(|at| Step::Prune { at }),
        1 => Just(Step::Settle),
        1 => (0_u8..20).prop_map(|choice| Step::Policy { choice }),
    ];
    proptest::collection::vec(step, 0..48)
}

#[derive(Clone, Debug, Default)]
struct Replica {
    row: Option<Winners>,
    register: Register,
    /// Of each origin the last transaction that it has applied, or written.
    applied: [u64; ORIGINS],
    hlc: u64,
    epoch: u32,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    replicas: [Replica; ORIGINS],
    pub(super) history: History,
    pub(super) pruned: usize,
    /// Rows that were gone and came back with values that no register held.
    pub(super) revived: usize,
}

impl Cluster {
    /// Takes the steps, and then delivers everything to everyone.
    pub(super) fn run(steps: &[Step], prunes: bool) -> Self {
        let mut cluster = Cluster::default();
        for step in steps {
            match *step {
                Step::Write {
                    at,
                    choice,
                    columns,
                    jump,
                } => cluster.write(usize::from(at), choice, columns, jump),
                Step::Deliver { at, of } => {
                    cluster.deliver(usize::from(at), usize::from(of));
                }
                Step::Prune { at } if prunes => cluster.prune(usize::from(at)),
                Step::Prune { .. } => {}
                Step::Policy { choice } => {
                    cluster.replicas[0].epoch += 1;
                    cluster.history.set_policy(cluster.replicas[0].epoch, choice);
                }
                Step::Settle => {
                    cluster.deliver_all();
                    (0..ORIGINS).filter(|_| prunes).for_each(|at| cluster.prune(at));
                }
            }
        }
        cluster.deliver_all();
        cluster
    }

    fn deliver_all(&mut self) {
        let pairs = || (0..ORIGINS).flat_map(|at| (0..ORIGINS).map(move |of| (at, of)));
        while pairs().filter(|(at, of)| self.deliver(*at, *of)).count() > 0 {}
    }

    pub(super) fn rows(&self) -> Vec<Option<Winners>> {
        self.replicas.iter().map(|replica| replica.row).collect()
    }

    fn write(&mut self, at: usize, choice: u8, columns: u8, jump: u8) {
        let replica = &mut self.replicas[at];
        let ops = match (&replica.row, choice) {
            (None, 0) => vec![Op::Insert, Op::Delete],
            (None, _) => vec![Op::Insert],
            (Some(_), 0..=6) => vec![Op::Update(columns)],
            (Some(_), 7..=9) => vec![Op::Delete],
            (Some(_), 10) => vec![Op::Update(columns), Op::Delete],
            (Some(_), _) => vec![Op::Delete, Op::Insert],
        };
        let context = replica.applied;
        replica.applied[at] += 1;
        replica.hlc += 1 + u64::from(jump);
        let txn = Txn {
            origin: u8::try_from(at).expect("a few"),
            lsn: replica.applied[at],
            hlc: replica.hlc,
            context,
            epoch: replica.epoch,
            old: replica.row,
            ops,
        };
        observe(&mut replica.register, &txn);
        change(&mut replica.row, &txn);
        self.history.txns.push(txn);
    }

    /// Answers whether there was something that may be applied.
    fn deliver(&mut self, at: usize, of: usize) -> bool {
        let next = self.replicas[at].applied[of] + 1;
        let found = self
            .history
            .txns
            .iter()
            .find(|t| usize::from(t.origin) == of && t.lsn == next);
        let Some(txn) = found.cloned() else { return false };
        let covered = |origin: usize| txn.context[origin] <= self.replicas[at].applied[origin];
        if at == of || !(0..ORIGINS).all(covered) {
            return false;
        }
        let replica = &mut self.replicas[at];
        let contested = replica.register.contested(txn.author(), |author| txn.saw(author));
        observe(&mut replica.register, &txn);
        let finds_its_row = replica.row.is_some() || txn.ops.first() == Some(&Op::Insert);
        if !contested && finds_its_row {
            change(&mut replica.row, &txn);
        } else if contested || txn.lives() {
            self.resolve(at, of);
        }
        let replica = &mut self.replicas[at];
        replica.applied[of] = txn.lsn;
        replica.hlc = replica.hlc.max(txn.hlc);
        replica.epoch = replica.epoch.max(txn.epoch);
        true
    }

    /// The exact path: the row becomes what its register says; a row that comes back whole takes from the writer's
    /// replica what nobody here knows, and stays away when it is gone there too.
    fn resolve(&mut self, at: usize, of: usize) {
        let origins = origins();
        let book = self.history.policies.book(TABLE, &origins);
        let winners = match self.replicas[at].register.target(&book, None) {
            Target::Untouched => return,
            Target::Dead => {
                self.replicas[at].row = None;
                return;
            }
            Target::Live(winners) => winners,
        };
        let known = |column: usize| {
            let by = winners
                .iter()
                .find(|(_, carried)| carried.contains(column_id(column)))?;
            Some((by.0.origin.0, by.0.lsn.0))
        };
        let rest = self.replicas[at].row;
        let lacks = (0..COLUMNS).any(|column| known(column).is_none());
        self.revived += usize::from(rest.is_none() && lacks);
        let rest = if rest.is_none() && lacks {
            self.replicas[of].row.or_else(|| self.old_row(at))
        } else {
            rest
        };
        if rest.is_none() && lacks {
            return;
        }
        let value = |column: usize| known(column).or_else(|| rest.and_then(|row| row[column]));
        self.replicas[at].row = Some(std::array::from_fn(value));
    }

    /// What the last of the writes that are known found. A row that is nowhere any more comes back only where writes of
    /// several epochs meet, and then some of them carry what they found.
    fn old_row(&self, at: usize) -> Option<Winners> {
        let entries = self.replicas[at].register.entries.iter().map(|e| e.author());
        let known = entries.filter_map(|a| {
            let is = |t: &&Txn| t.author() == a;
            self.history.txns.iter().find(is)
        });
        known
            .filter(|txn| txn.old.is_some())
            .max_by_key(|txn| (txn.hlc, txn.origin))?
            .old
    }

    /// Forgets what is stable: what everyone has applied, and what everything that is still to come has seen.
    fn prune(&mut self, at: usize) {
        let here = self.replicas[at].applied;
        let to_come = self.history.txns.iter().filter(|t| here[usize::from(t.origin)] < t.lsn);
        let everywhere = self.replicas.iter().map(|replica| replica.applied);
        let bounds: Vec<[u64; ORIGINS]> = everywhere.chain(to_come.map(|txn| txn.context)).collect();
        let limit = |origin: usize| bounds.iter().map(|bound| bound[origin]).min().unwrap_or_default();
        let limits: [u64; ORIGINS] = std::array::from_fn(limit);
        let stable = |author: Author| author.lsn.0 <= limits[usize::from(author.origin.0)];
        let origins = origins();
        let register = &mut self.replicas[at].register;
        let before = register.entries.len();
        register.prune(&self.history.policies.book(TABLE, &origins), stable);
        self.pruned += before - register.entries.len();
    }
}

/// What a transaction does to the row that it finds.
fn change(row: &mut Option<Winners>, txn: &Txn) {
    for op in &txn.ops {
        *row = match (*op, *row) {
            (Op::Insert, _) => Some([Some(txn.id()); COLUMNS]),
            (Op::Update(mask), Some(was)) => {
                let value = |at: usize| if mask & (1 << at) == 0 { was[at] } else { Some(txn.id()) };
                Some(std::array::from_fn(value))
            }
            (Op::Update(_), None) | (Op::Delete, _) => None,
        };
    }
}
