//! Applications: sessions that write as they please, slowly or fast, and sometimes change their minds.

mod tree;

use std::collections::VecDeque;

use crate::policies::{ERROR, TABLES, codes};
use crate::postgres::{Datum, Durability, OnConflict, Row, SessionId, Statement, Table, Target};
use crate::rng::Rng;

/// Transactions without a statement by which an application waits.
const WAITS_MAX: u64 = 10;

/// One application session's state.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) session: Option<SessionId>,
    pub(crate) script: VecDeque<Statement>,
    pub(crate) remaining: u64,
    pub(crate) idle_typical: u64,
}

/// What the workload may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer {
    pub(crate) node: u64,
    pub(crate) nodes: u64,
    pub(crate) keys: u64,
    pub(crate) truncates: bool,
}

impl Writer {
    /// A transaction. Every value it writes is written once in a run, so that values tell who wrote them.
    pub(crate) fn transaction(&self, rng: &mut Rng, fresh: &mut u64) -> VecDeque<Statement> {
        let mut script = VecDeque::from([Statement::Begin]);
        let statements = rng.between(1, 4);
        for _ in 0..statements {
            if rng.one_in(12) {
                script.push_back(Statement::Savepoint);
                self.statement(rng, fresh, &mut script);
                if rng.one_in(2) {
                    script.push_back(Statement::RollbackToSavepoint);
                }
            }
            self.statement(rng, fresh, &mut script);
        }
        script.push_back(match rng.below(10) {
            0 => Statement::Rollback,
            1..=3 => Statement::Commit(Durability::Asynchronous),
            _ => Statement::Commit(Durability::Flushed),
        });
        script
    }

    /// A person at n1 sets a table's policy; `asked` about conflicts over one, another than to be asked.
    pub(crate) fn policy(&self, epoch: u64, asked: Option<Table>, rng: &mut Rng) -> VecDeque<Statement> {
        let table = asked.unwrap_or_else(|| TABLES[rng.index(TABLES.len())]);
        let code = match asked {
            None if rng.one_in(8) => ERROR,
            None | Some(_) => rng.below(codes(table)),
        };
        let rows = vec![vec![Some(epoch), Some(table.index() as u64), Some(code)]];
        let insert = Statement::Insert {
            table: Table::Policies,
            rows,
            on_conflict: OnConflict::Nothing,
        };
        VecDeque::from([Statement::Begin, insert, Statement::Commit(Durability::Flushed)])
    }

    /// A delete of a row with a TOAST value, or an update that leaves that value alone and may outlive the delete: the
    /// same row for everyone who comes out of the same lull.
    pub(crate) fn duel(&self, lull: u64, rng: &mut Rng, fresh: &mut u64) -> VecDeque<Statement> {
        let table = if lull.is_multiple_of(4) {
            Table::Toast
        } else {
            Table::Full
        };
        let (key, guard) = (1 + lull % self.keys, None);
        let strike = if rng.one_in(2) {
            let keys = vec![key];
            Statement::Delete { table, keys, guard }
        } else {
            let mut target = Target::new(key, vec![(1, Some(value(fresh)))]);
            if table == Table::Full {
                target.add = Some((Table::COUNTER, 1 + rng.below(9)));
            }
            let targets = vec![target];
            Statement::Update { table, targets, guard }
        };
        let commit = Statement::Commit(match rng.one_in(2) {
            true => Durability::Asynchronous,
            false => Durability::Flushed,
        });
        VecDeque::from([Statement::Begin, strike, commit])
    }

    /// A row that one node deletes and inserts anew, and that all others delete a little later, perhaps before that insert is
    /// visible where it was made. The same row for everyone who comes out of the same lull.
    pub(crate) fn chase(&self, lull: u64, rng: &mut Rng, fresh: &mut u64) -> VecDeque<Statement> {
        let (table, key, guard) = (Table::Plain, 1 + lull % self.keys, None);
        let commit = Statement::Commit(Durability::Flushed);
        let keys = vec![key];
        let delete = [
            Statement::Begin,
            Statement::Delete { table, keys, guard },
            commit.clone(),
        ];
        if lull % self.nodes == self.node {
            let rows = vec![vec![Some(key), Some(value(fresh)), Some(value(fresh))]];
            let on_conflict = OnConflict::Nothing;
            let insert = Statement::Insert {
                table,
                rows,
                on_conflict,
            };
            return delete.into_iter().chain([Statement::Begin, insert, commit]).collect();
        }
        let waits = (0..rng.between(0, WAITS_MAX)).flat_map(|_| [Statement::Begin, Statement::Rollback]);
        waits.chain(delete).collect()
    }

    fn statement(&self, rng: &mut Rng, fresh: &mut u64, script: &mut VecDeque<Statement>) {
        if rng.one_in(5) {
            match self.truncates && rng.one_in(60) {
                true => script.push_back(Statement::Truncate { table: Table::Tree }),
                false => script.extend(self.tree(rng, fresh)),
            }
            return;
        }
        let table = match rng.below(13) {
            0..=3 => Table::Plain,
            4..=5 => Table::Toast,
            6..=8 => Table::Full,
            9..=11 => Table::Unique,
            _ => Table::Keyless,
        };
        if table == Table::Keyless {
            script.push_back(self.keyless(rng));
            return;
        }
        if matches!(table, Table::Plain | Table::Unique) && self.truncates && rng.one_in(40) {
            script.push_back(Statement::Truncate { table });
            return;
        }
        if table == Table::Unique && rng.one_in(20) {
            // A person gives a displaced row up.
            let keys = vec![self.key(rng)];
            let (table, guard) = (Table::Displaced, None);
            script.push_back(Statement::Delete { table, keys, guard });
            return;
        }
        match rng.below(10) {
            0..=2 => self.insert(table, rng, fresh, script),
            3..=7 => self.update(table, rng, fresh, script),
            8 => self.move_key(table, rng, fresh, script),
            _ => {
                let keys = (0..rng.between(1, 2)).map(|_| self.key(rng)).collect();
                script.push_back(Statement::Delete {
                    table,
                    keys,
                    guard: None,
                });
            }
        }
    }

    /// Rows of a table without a key come from a few values, so that several are equal.
    fn keyless(&self, rng: &mut Rng) -> Statement {
        let table = Table::Keyless;
        let row = |rng: &mut Rng| vec![Some(1 + rng.below(self.keys)), Some(rng.below(2))];
        match rng.below(10) {
            0..=5 => Statement::Insert {
                table,
                rows: (0..rng.between(1, 2)).map(|_| row(rng)).collect(),
                on_conflict: OnConflict::Fail,
            },
            6 | 7 => Statement::UpdateEqual {
                table,
                old: row(rng),
                new: row(rng),
            },
            _ => Statement::DeleteEqual { table, row: row(rng) },
        }
    }

    fn insert(&self, table: Table, rng: &mut Rng, fresh: &mut u64, script: &mut VecDeque<Statement>) {
        let mut keys: Vec<u64> = (0..rng.between(1, 3)).map(|_| self.key(rng)).collect();
        keys.sort_unstable();
        keys.dedup();
        let rows = keys
            .into_iter()
            .map(|key| self.new_row(table, key, rng, fresh))
            .collect();
        let on_conflict = if rng.percent(80) {
            OnConflict::Nothing
        } else {
            OnConflict::Fail
        };
        script.push_back(Statement::Insert {
            table,
            rows,
            on_conflict,
        });
    }

    fn update(&self, table: Table, rng: &mut Rng, fresh: &mut u64, script: &mut VecDeque<Statement>) {
        if table == Table::Unique && rng.one_in(2) {
            self.swap(rng, script);
            return;
        }
        let mut targets = Vec::new();
        for _ in 0..rng.between(1, 3) {
            let key = self.key(rng);
            let mut target = Target::new(key, Vec::new());
            if table == Table::Full && rng.one_in(2) {
                target.add = Some((Table::COUNTER, 1 + rng.below(9)));
            }
            if table == Table::Unique {
                let column = rng.index(3) + 1;
                let new = self.unique_or_fresh(column, rng, fresh);
                target.set.push((column, new));
            } else if target.add.is_none() || rng.one_in(3) {
                let column = match rng.below(10) {
                    0..=6 => 1,
                    7 if table == Table::Full => 3,
                    _ => 2,
                };
                target.set.push((column, Some(value(fresh))));
            }
            if !targets.iter().any(|t: &Target| t.key == key) {
                targets.push(target);
            }
        }
        script.push_back(Statement::Update {
            table,
            targets,
            guard: None,
        });
    }

    /// Two rows swap their unique values by way of none.
    fn swap(&self, rng: &mut Rng, script: &mut VecDeque<Statement>) {
        let one = self.key(rng);
        let other = one % self.keys + 1;
        let column = 1 + rng.index(2);
        let (a, b) = (self.unique(column, rng), self.unique(column, rng));
        let mut set = |key: u64, value: Datum| {
            let targets = vec![Target::new(key, vec![(column, value)])];
            script.push_back(Statement::Update {
                table: Table::Unique,
                targets,
                guard: None,
            });
        };
        set(one, a);
        set(other, b);
        set(one, None);
        set(other, a);
        set(one, b);
    }

    /// The key changes. A TOAST value that is not written anew stays behind under the old key: such a row takes a key
    /// that no other row ever has, because what two writers of one key left behind is not resolved.
    fn move_key(&self, table: Table, rng: &mut Rng, fresh: &mut u64, script: &mut VecDeque<Statement>) {
        let (from, mut to) = (self.key(rng), self.key(rng));
        let fresh_column = if table == Table::Unique { 3 } else { 1 };
        let mut set = vec![(fresh_column, Some(value(fresh)))];
        if table == Table::Toast && rng.one_in(2) {
            to = value(fresh);
        } else if table == Table::Toast {
            set.push((2, Some(value(fresh))));
        }
        set.push((0, Some(to)));
        let targets = vec![Target::new(from, set)];
        script.push_back(Statement::Update {
            table,
            targets,
            guard: None,
        });
    }

    fn key(&self, rng: &mut Rng) -> u64 {
        1 + rng.below(self.keys)
    }

    /// A unique value: one of a few, so that rows of several nodes exclude each other.
    fn unique(&self, column: usize, rng: &mut Rng) -> Datum {
        let few = self.keys + column as u64;
        (!rng.one_in(8)).then(|| 1 + rng.below(few))
    }

    fn unique_or_fresh(&self, column: usize, rng: &mut Rng, fresh: &mut u64) -> Datum {
        match column {
            3 => Some(value(fresh)),
            _ => self.unique(column, rng),
        }
    }

    fn new_row(&self, table: Table, key: u64, rng: &mut Rng, fresh: &mut u64) -> Row {
        if table == Table::Unique {
            let values = (1..=3).map(|column| self.unique_or_fresh(column, rng, fresh));
            return std::iter::once(Some(key)).chain(values).collect();
        }
        let mut row = vec![Some(key), Some(value(fresh)), Some(value(fresh))];
        if table == Table::Full {
            row.extend([Some(value(fresh)), Some(100 * rng.below(10))]);
        }
        row
    }
}

fn value(fresh: &mut u64) -> u64 {
    *fresh += 1;
    *fresh + 1_000
}
