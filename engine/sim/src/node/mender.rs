//! The mender: what is noted in [`Table::Orphans`] is mended in a transaction of this node, as its rule says.

use std::collections::BTreeSet;

use super::Phase;
use crate::mutation;
use crate::postgres::{Answer, Datum, Durability, OnConflict, Row, SqlState, Statement, Table, Target, orphan};
use crate::world::{Event, World};

/// What becomes of rows that refer to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    RestoreParent,
    DeleteChild,
    Report,
}

/// So often the mender looks, in microseconds.
const LOOKS_EVERY: u64 = 6_000;
/// Of so many looks one is at what was told of.
const TOLD_ONE_IN: u64 = 3;

/// One entry in one transaction.
#[derive(Debug)]
pub(crate) struct Mending {
    /// The entry's key.
    id: u64,
    /// What rows refer to.
    reference: u64,
    told: bool,
    doing: Doing,
    /// Kept rows that were brought back.
    seen: BTreeSet<u64>,
    /// Rows that went, and what refers to them is to go; or entries that are forgotten.
    open: Vec<u64>,
    /// What it comes to, for the report.
    outcome: &'static str,
}

/// The statement that is on its way.
#[derive(Debug)]
enum Doing {
    Beginning,
    /// Is it there?
    Standing,
    /// Does a row refer to it?
    Referred,
    /// How was it?
    Image,
    /// It is brought back, and refers to this.
    Inserting(Datum),
    /// Is it there now?
    Restored(Datum),
    /// Is what it refers to there?
    Above(u64),
    /// How was that?
    AboveImage,
    /// That is brought back, and refers to this.
    InsertingAbove(Datum),
    Deleting,
    /// Nothing is left but to commit.
    Ending,
    Committing,
    /// It cannot be mended: all is taken back, and that is noted in a transaction of its own.
    Stuck,
    Noting,
    Sweeping,
    RollingBack,
}

impl World {
    /// Looks for something to mend, and comes back.
    pub(crate) fn mend(&mut self, node: usize) {
        let run = self.nodes[node].run;
        let delay = self.rng.latency(LOOKS_EVERY);
        self.schedule.after(delay, Event::Mend { node, run });
        let n = &self.nodes[node];
        let Some(daemon) = n.daemon.as_ref() else { return };
        if daemon.phase != Phase::Running || daemon.mending.is_some() {
            return;
        }
        let entries = n.server.rows(Table::Orphans);
        if entries.is_empty() {
            return;
        }
        let looks_at_told = self.rng.one_in(TOLD_ONE_IN);
        let told = |row: &Row| row[orphan::STATE] != Some(orphan::WAITING);
        let open = entries.iter().filter(|row| row[orphan::REF].is_some());
        let open = open
            .filter(|row| !told(row) || looks_at_told)
            .map(|row| (row, told(row)));
        // What is told of is not in the way of what waits.
        let mending = match open.min_by_key(|(row, told)| (*told, row[0])) {
            Some((row, told)) => Mending::new(row[0], row[orphan::REF], told, Doing::Beginning),
            None => {
                let swept: Vec<u64> = entries
                    .iter()
                    .filter(|row| is_left(row, &entries))
                    .filter_map(|row| row[0])
                    .collect();
                if swept.is_empty() {
                    return;
                }
                let mut mending = Mending::new(None, None, false, Doing::Sweeping);
                mending.open = swept;
                mending
            }
        };
        self.go_on_mending(node, mending, Statement::Begin);
    }

    fn go_on_mending(&mut self, node: usize, mending: Mending, statement: Statement) {
        let Some(daemon) = self.daemon(node) else { return };
        daemon.mending = Some(mending);
        let session = daemon.mender;
        self.submit(node, session, statement);
    }

    /// The mender's statement has ended.
    pub(crate) fn mender_answered(&mut self, node: usize, result: Result<Answer, SqlState>) {
        let rule = self.rule;
        let Some(mut mending) = self.daemon(node).and_then(|daemon| daemon.mending.take()) else {
            return;
        };
        let statement = match (result, &mending.doing) {
            (_, Doing::RollingBack) => return,
            (Ok(_), Doing::Committing) => return self.report.add(mending.outcome, 1),
            (Err(_), _) => mending.ends(Doing::RollingBack, Statement::Rollback),
            (Ok(answer), _) => mending.next(&answer, rule),
        };
        self.go_on_mending(node, mending, statement);
    }
}

impl Mending {
    fn new(id: Datum, reference: Datum, told: bool, doing: Doing) -> Self {
        Mending {
            id: id.unwrap_or_default(),
            reference: reference.unwrap_or_default(),
            told,
            doing,
            seen: BTreeSet::new(),
            open: Vec::new(),
            outcome: "nothing to mend",
        }
    }

    /// What is done next.
    fn next(&mut self, answer: &Answer, rule: Rule) -> Statement {
        let found = !answer.rows.is_empty();
        match self.doing {
            Doing::Beginning => self.ends(Doing::Standing, mutation::standing(self.reference)),
            Doing::Standing if found => self.forget(),
            Doing::Standing => {
                let key = self.reference;
                self.ends(Doing::Referred, Statement::Referring { key })
            }
            Doing::Referred if !found => self.forget(),
            Doing::Referred => self.by_rule(rule),
            Doing::Image => match answer.rows.first().filter(|row| row[orphan::KEY].is_some()) {
                Some(row) => {
                    self.outcome = "parents restored";
                    let image = image(row);
                    let up = image[1];
                    self.ends(Doing::Inserting(up), insert(image))
                }
                None => self.stuck(),
            },
            Doing::Inserting(up) => self.ends(Doing::Restored(up), share(self.reference)),
            Doing::Restored(_) if !found => self.stuck(),
            Doing::Restored(up) | Doing::InsertingAbove(up) => match up {
                Some(up) => self.ends(Doing::Above(up), share(up)),
                None => self.forget(),
            },
            Doing::Above(_) if found => self.forget(),
            Doing::Above(up) => {
                let (table, values) = (Table::Orphans, vec![(orphan::KEY, up)]);
                self.ends(Doing::AboveImage, Statement::Find { table, values })
            }
            Doing::AboveImage => match answer.rows.iter().max_by_key(|row| row[0]) {
                Some(row) if row[0].is_some_and(|id| self.seen.insert(id)) => {
                    let image = image(row);
                    let up = image[1];
                    self.ends(Doing::InsertingAbove(up), insert(image))
                }
                Some(_) | None => self.stuck(),
            },
            Doing::Deleting => {
                self.open.extend(&answer.keys);
                match self.open.pop() {
                    Some(key) => self.ends(Doing::Deleting, Statement::DeleteReferring { key }),
                    None => self.forget(),
                }
            }
            Doing::Stuck if self.told => self.ends(Doing::RollingBack, Statement::Rollback),
            Doing::Stuck => self.ends(Doing::Noting, Statement::Begin),
            Doing::Noting => self.mark(),
            Doing::Sweeping => {
                let keys = std::mem::take(&mut self.open);
                self.ends(Doing::Ending, delete(keys))
            }
            Doing::Ending => self.ends(Doing::Committing, Statement::Commit(Durability::Flushed)),
            Doing::Committing | Doing::RollingBack => unreachable!("these are the end"),
        }
    }

    fn by_rule(&mut self, rule: Rule) -> Statement {
        match rule {
            Rule::RestoreParent => {
                self.seen.insert(self.id);
                let (table, values) = (Table::Orphans, vec![(0, self.id)]);
                self.ends(Doing::Image, Statement::Find { table, values })
            }
            Rule::DeleteChild => {
                self.outcome = "children deleted";
                let key = self.reference;
                self.ends(Doing::Deleting, Statement::DeleteReferring { key })
            }
            Rule::Report if self.told => self.ends(Doing::RollingBack, Statement::Rollback),
            Rule::Report => {
                self.outcome = "orphans reported";
                self.mark()
            }
        }
    }

    fn ends(&mut self, doing: Doing, statement: Statement) -> Statement {
        self.doing = doing;
        statement
    }

    fn forget(&mut self) -> Statement {
        self.ends(Doing::Ending, delete(vec![self.id]))
    }

    fn mark(&mut self) -> Statement {
        let targets = vec![Target::new(self.id, vec![(orphan::STATE, Some(orphan::TOLD))])];
        let (table, guard) = (Table::Orphans, None);
        self.ends(Doing::Ending, Statement::Update { table, targets, guard })
    }

    fn stuck(&mut self) -> Statement {
        self.outcome = "orphans stuck";
        self.ends(Doing::Stuck, Statement::Rollback)
    }
}

/// Whether it was kept beside entries that are gone.
fn is_left(row: &Row, entries: &[Row]) -> bool {
    let is_entry = |other: &Row| other[orphan::REF].is_some() && other[orphan::WITH] == row[orphan::WITH];
    !entries.iter().any(is_entry)
}

/// The row of [`Table::Tree`] that is kept.
fn image(kept: &Row) -> Row {
    kept[orphan::KEY..orphan::STATE].to_vec()
}

fn share(key: u64) -> Statement {
    let table = Table::Tree;
    Statement::Share { table, key }
}

fn insert(row: Row) -> Statement {
    let (table, rows, on_conflict) = (Table::Tree, vec![row], OnConflict::Nothing);
    Statement::Insert {
        table,
        rows,
        on_conflict,
    }
}

fn delete(keys: Vec<u64>) -> Statement {
    let (table, guard) = (Table::Orphans, None);
    Statement::Delete { table, keys, guard }
}
