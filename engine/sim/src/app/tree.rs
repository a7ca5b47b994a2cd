//! Rows that refer to rows.

use std::collections::VecDeque;

use super::{Writer, value};
use crate::postgres::{Datum, Durability, OnConflict, Row, Statement, Table, Target};
use crate::rng::Rng;

/// Transactions without a statement by which an application waits.
const WAITS_MAX: u64 = 30;
const TABLE: Table = Table::Tree;

impl Writer {
    /// Writes a row of the table with a foreign key, and mostly what it refers to before.
    pub(super) fn tree(&self, rng: &mut Rng, fresh: &mut u64) -> Vec<Statement> {
        let key = self.key(rng);
        let up = (!rng.one_in(4)).then(|| self.key(rng));
        let parent = up
            .filter(|_| !rng.one_in(5))
            .map(|up| put(vec![Some(up), None, Some(value(fresh))]));
        let write = match rng.below(16) {
            0..=6 => put(vec![Some(key), up, Some(value(fresh))]),
            7..=8 => return vec![set(key, vec![(2, Some(value(fresh)))])],
            9..=11 => set(key, vec![(1, up), (2, Some(value(fresh)))]),
            12 => return vec![set(key, vec![(0, Some(self.key(rng))), (2, Some(value(fresh)))])],
            _ => return vec![remove(key)],
        };
        parent.into_iter().chain([write]).collect()
    }

    /// A row goes, and goes again if it came back, while others come to refer to it: the same row for everyone who comes out
    /// of the same lull.
    pub(crate) fn family(&self, lull: u64, rng: &mut Rng, fresh: &mut u64) -> VecDeque<Statement> {
        let (parent, child) = (1 + lull % self.keys, 1 + (lull + 1) % self.keys);
        let commit = Statement::Commit(Durability::Flushed);
        if rng.one_in(4) {
            let strike = [Statement::Begin, remove(parent), commit];
            let again = (0..rng.below(4)).flat_map(|_| wait(rng.between(0, WAITS_MAX)).chain(strike.clone()));
            return strike.iter().cloned().chain(again.collect::<Vec<_>>()).collect();
        }
        let strikes = match rng.below(6) {
            0 => vec![remove(parent), put(vec![Some(parent), None, Some(value(fresh))])],
            1..=2 => vec![
                put(vec![Some(parent), None, Some(value(fresh))]),
                put(vec![Some(child), Some(parent), Some(value(fresh))]),
            ],
            3 => {
                let row = vec![Some(value(fresh)), Some(parent), Some(value(fresh))];
                vec![put(row)]
            }
            4 => vec![set(child, vec![(2, Some(value(fresh)))])],
            _ => vec![set(child, vec![(1, Some(parent))])],
        };
        std::iter::once(Statement::Begin)
            .chain(strikes)
            .chain([commit])
            .collect()
    }
}

fn wait(transactions: u64) -> impl Iterator<Item = Statement> {
    (0..transactions).flat_map(|_| [Statement::Begin, Statement::Rollback])
}

fn put(row: Row) -> Statement {
    Statement::Insert {
        table: TABLE,
        rows: vec![row],
        on_conflict: OnConflict::Nothing,
    }
}

fn set(key: u64, set: Vec<(usize, Datum)>) -> Statement {
    Statement::Update {
        table: TABLE,
        targets: vec![Target::new(key, set)],
        guard: None,
    }
}

fn remove(key: u64) -> Statement {
    Statement::Delete {
        table: TABLE,
        keys: vec![key],
        guard: None,
    }
}
