//! The exact path: what locked rows are to become, and the statements that make them so.

use std::collections::BTreeMap;

use synapse_engine_identity::{ColumnId, RowId};
use synapse_engine_plan::{Batch, Error, Exact, ExactWrite, Row, Tables, Undecided};
use synapse_engine_replication::MarkerKind;

use super::exclusion::intend;
use super::job::{Job, Kept, Piece, Resolved, Stage};
use super::steps::{delete, insert, update};
use crate::catalog::{datum, table_of};
use crate::postgres::{self, Datum, OnConflict, Table, Target};
use crate::violation::Law;
use crate::world::World;

impl World {
    pub(crate) fn write_rows(&mut self, node: usize, rows: &[RowId]) {
        self.report.add("exact", rows.len());
        let Some(mut job) = self.daemon(node).and_then(|daemon| daemon.job.take()) else {
            return;
        };
        let resolved: Result<Vec<_>, _> = rows.iter().map(|row| self.resolve(node, &job, *row)).collect();
        job.resolved = match resolved {
            Ok(resolved) => resolved.into_iter().flatten().collect(),
            Err(undecided) => {
                if let Some(daemon) = self.daemon(node) {
                    daemon.job = Some(job);
                    daemon.merge_max = 1;
                }
                self.roll_back(node);
                return self.ask_a_person(node, &undecided);
            }
        };
        let gone = |r: &&Resolved| r.write == ExactWrite::Delete && !job.present.contains_key(&r.row);
        job.absent = job.resolved.iter().filter(gone).map(|r| r.row).collect();
        job.asked.clear();
        job.told.clear();
        let lacks = |r: &&Resolved| lacks_values(&r.write) && job.stood(r.row).is_none();
        let lacking: Vec<RowId> = job.resolved.iter().filter(lacks).map(|r| r.row).collect();
        if let Some(daemon) = self.daemon(node) {
            daemon.job = Some(job);
        }
        if lacking.is_empty() {
            self.write_resolved(node);
        } else {
            self.ask(node, &lacking);
        }
    }

    fn resolve(&mut self, node: usize, job: &Job, row: RowId) -> Result<Option<Resolved>, Box<Undecided>> {
        let values: Option<Row<'_>> = job.rows.get(&row).map(|row| row.iter().map(Kept::value).collect());
        let described = self.catalog.find(self.relations.of(table_of(row.table)));
        let (Some(values), Some(described), Some(daemon)) = (values, described, self.nodes[node].daemon.as_mut())
        else {
            return Ok(None);
        };
        let mut batch = Batch::default();
        batch.rows.insert(row, (described, values));
        let span = (job.origin, job.first, job.last);
        let mut exact = match Exact::of(daemon.kernel.registers_mut(), &batch, span, row) {
            Ok(Some(exact)) => exact,
            Ok(None) => return Ok(None),
            Err(Error::Undecided(undecided)) => return Err(undecided),
            Err(error) => {
                self.violate(Law::NoError, format!("plan: {error}"));
                return Ok(None);
            }
        };
        let made = std::mem::take(&mut exact.made);
        let given = self.make(node, job, row, &made);
        for at in given.keys() {
            let column = ColumnId(u16::try_from(*at).expect("tables have a few columns"));
            exact.give(column, synapse_engine_change::Value::Null);
        }
        let (write, every) = (exact.write, exact.every);
        Ok(Some(Resolved {
            row,
            write,
            every,
            given,
        }))
    }

    /// Everything is there that locked rows need.
    pub(super) fn write_resolved(&mut self, node: usize) {
        let Some(mut job) = self.daemon(node).and_then(|daemon| daemon.job.take()) else {
            return;
        };
        job.stage = Stage::Writing;
        for resolved in std::mem::take(&mut job.resolved) {
            let Some(wanted) = self.wanted(node, &job, &resolved) else {
                continue;
            };
            let (table, key) = (table_of(resolved.row.table), job.key(resolved.row));
            if table == Table::Unique {
                let image = wanted.image(job.stood(resolved.row), table, key);
                let mut search = job.search.take().unwrap_or_default();
                intend(&mut search, &job, resolved.row, image);
                job.search = Some(search);
            } else {
                if table == Table::Tree {
                    match wanted {
                        Wanted::AsItStands => {}
                        Wanted::Gone => drop(job.gone.insert(key)),
                        Wanted::Set(_) => drop(job.came.insert(key)),
                    }
                }
                let there = job.present.contains_key(&resolved.row);
                job.script.extend(wanted.piece(there, resolved.row, key));
            }
        }
        if let Some(daemon) = self.daemon(node) {
            daemon.job = Some(job);
        }
        self.next_piece(node);
    }

    /// What a row should be; `None`: what it lacks is on its way.
    fn wanted(&mut self, node: usize, job: &Job, resolved: &Resolved) -> Option<Wanted> {
        let row = resolved.row;
        let there = job.stood(row).is_some();
        let (won, others, unknown) = match &resolved.write {
            ExactWrite::Nothing => return Some(Wanted::AsItStands),
            ExactWrite::Delete => return Some(Wanted::Gone),
            ExactWrite::Live { won, others, unknown } => (won, others, unknown),
        };
        let column = |id: &ColumnId| usize::from(id.0);
        let values = job.rows.get(&row)?;
        let carried = |id: &ColumnId| datum(values[column(id)].value()).expect("what was won is carried");
        let won = won.iter().filter(|id| !resolved.given.contains_key(&column(id)));
        let mut set: BTreeMap<usize, Datum> = won.map(|id| (column(id), carried(id))).collect();
        set.extend(&resolved.given);
        if !there || resolved.every || matches!(job.kind, MarkerKind::Recheck { .. }) {
            for (txn, id) in others
                .iter()
                .flat_map(|(txn, columns)| columns.iter().map(|id| (*txn, *id)))
            {
                match self.written(node, txn, row).value(column(&id)).and_then(datum) {
                    Some(value) => {
                        set.insert(column(&id), value);
                    }
                    None => self.violate(Law::NoError, format!("{txn} has no column {} of {row:?}", id.0)),
                }
            }
        }
        if !there && !unknown.is_empty() {
            // A row that is nowhere any more: whoever deleted it there had seen the update, and that is on its way; or a
            // policy has changed, and then some write says what it found.
            let found = job.told.get(&row)?.clone().or_else(|| self.found(node, row))?;
            set.extend(unknown.iter().map(|id| (column(id), found[column(id)])));
        }
        Some(Wanted::Set(set))
    }
}

/// What a locked row should be.
enum Wanted {
    AsItStands,
    Gone,
    /// It lives, with these values.
    Set(BTreeMap<usize, Datum>),
}

impl Wanted {
    /// The whole row.
    fn image(&self, stood: Option<&postgres::Row>, table: Table, key: u64) -> Option<postgres::Row> {
        // A displaced row says more.
        let width = table.columns().len();
        let set = match self {
            Wanted::AsItStands => return stood.map(|row| row[..width].to_vec()),
            Wanted::Gone => return None,
            Wanted::Set(set) => set,
        };
        let mut image = stood.map_or_else(|| vec![None; width], |row| row[..width].to_vec());
        for (at, value) in set {
            image[*at] = *value;
        }
        image[0] = Some(key);
        Some(image)
    }

    /// The statement that makes the row so, if it is not.
    fn piece(self, there: bool, row: RowId, key: u64) -> Option<Piece> {
        let table = table_of(row.table);
        let mut set = match self {
            Wanted::AsItStands => return None,
            Wanted::Gone => return there.then(|| Piece::plain(delete(table, vec![key], None))),
            Wanted::Set(set) => set,
        };
        if there {
            set.remove(&0);
            let set: Vec<(usize, Datum)> = set.into_iter().collect();
            return (!set.is_empty()).then(|| Piece::plain(update(table, vec![Target::new(key, set)], None)));
        }
        let new = Wanted::Set(set).image(None, table, key)?;
        Some(Piece {
            statement: insert(table, vec![new], OnConflict::Nothing),
            rows: vec![(key, vec![row])],
        })
    }
}

/// Whether values are missing when the row is not there.
fn lacks_values(write: &ExactWrite) -> bool {
    match write {
        ExactWrite::Nothing | ExactWrite::Delete => false,
        ExactWrite::Live { unknown, .. } => !unknown.is_empty(),
    }
}
