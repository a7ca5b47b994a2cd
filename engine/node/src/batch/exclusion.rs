//! Rows that exclude each other: their neighbours are found, locked in another round, and then it is written which of them
//! stand and which are displaced.

use std::collections::HashMap;
use std::sync::Arc;

use synapse_engine_apply::{StandingRow, Transaction, Values, Which, Whole, Written};
use synapse_engine_identity::{Hlc, KeyHash, RowId, TxnId};
use synapse_engine_plan::{Batch, Conflict, Exact, Loser, Neighbour, Neighbours, Settled, Table};
use synapse_engine_replication::{LastWrite, Met, Outcome, Standing};
use synapse_wal_types::Lsn;

use super::exact::Round;
use super::failure::Failure;
use super::gone::Displacement;
use super::log::Log;
use super::stood::{Found, Stood, by_table, intended, kept, key_of, row_of};
use crate::lane::Applier;
use crate::orphans::stamp_json;
use crate::shared::{NodeKernel, lock};

impl Applier {
    /// Makes locked rows what they are to be, or asks for more rows to be locked.
    pub(super) async fn settle<'a>(
        &mut self,
        transaction: &mut Transaction<'_>,
        round: &Round<'_, 'a>,
        exacts: &[Exact<'a>],
        values: &Values<'a>,
        stood: &Stood,
        log: &mut Log,
    ) -> Result<(Written, Found), Failure> {
        let (mut written, mut found) = (Written::default(), Found::default());
        for exact in exacts {
            if exact.write == synapse_engine_plan::ExactWrite::Delete && !transaction.is_there(exact.row) {
                written.absent.push(exact.row);
            }
        }
        for (table, _) in by_table(exacts) {
            let mut neighbours = Neighbours::default();
            for exact in exacts.iter().filter(|exact| exact.table.id == table.id) {
                let missing = |lack| synapse_engine_apply::Error::MissingValues { rows: vec![lack] };
                let intended = intended(exact, values, round, stood).map_err(missing)?;
                neighbours.intend(exact.row, intended);
            }
            self.find_neighbours(transaction, round.batch, &table, &mut neighbours, &mut found)
                .await?;
            let rows: Vec<RowId> = neighbours.rows().collect();
            if neighbours.reaches_further() {
                written.again.extend(rows);
                continue;
            }
            let stands = standing(&neighbours);
            let settled = {
                let mut kernel = lock(&self.kernel);
                let settled = neighbours.settle(&mut kernel, &table)?;
                if settled.contended {
                    kernel.contend(table.id);
                }
                settled
            };
            let found = log.found();
            let displaced = self.displacements(&table, &settled, &stands);
            let losers = self.log_losers(&table, &settled, log);
            log.write(transaction, &self.shared, round.batch, &losers).await?;
            if !transaction.write_settled(&table, &settled, &round.batch.rows).await? {
                log.take_back(transaction, found).await?;
                written.again.extend(rows);
                continue;
            }
            self.displaced.extend(displaced);
            self.came.extend(settled.inserted.iter().map(|(row, _)| *row));
        }
        Ok((written, found))
    }

    /// Notes the conflicts of rows that are displaced now; answers which rows, in their order.
    fn log_losers(&self, table: &Table, settled: &Settled<Whole>, log: &mut Log) -> Vec<RowId> {
        let mut losers = Vec::new();
        let mut kernel = lock(&self.kernel);
        for loser in &settled.displaced {
            let (Some((incoming, kind)), Some(rival)) = (loser.clash, loser.rivals.first()) else {
                continue;
            };
            let lost = writer(&mut kernel, loser.row, loser.last);
            let won = writer(&mut kernel, *rival, of_rival(settled, loser, *rival));
            let comes_in = settled.inserted.iter().map(|(row, image)| (row, image));
            let changes = settled.updated.iter().map(|(row, _, image)| (row, image));
            let image = match incoming == loser.row {
                true => Some(&loser.image),
                false => comes_in
                    .chain(changes)
                    .find(|(row, _)| **row == incoming)
                    .map(|(_, image)| image),
            };
            let ((txn, hlc), (by, since), outcome) = match incoming == loser.row {
                true => (lost, won, Outcome::Local),
                false => (won, lost, Outcome::Remote),
            };
            let met = Met {
                standing: Standing::Live,
                by,
                hlc: since,
                outcome,
                rules: Arc::default(),
            };
            let row = loser.row;
            let conflict = Conflict {
                row,
                txn,
                hlc,
                kind,
                met,
            };
            log.displaced(table, conflict, &image.map(Whole::row).unwrap_or_default());
            losers.push(row);
        }
        losers.sort_unstable();
        losers
    }

    /// Rows that stood and that are displaced now.
    fn displacements(
        &self,
        table: &Arc<Table>,
        settled: &Settled<Whole>,
        stands: &HashMap<RowId, Whole>,
    ) -> Vec<Displacement> {
        let mut kernel = lock(&self.kernel);
        let lost = settled.displaced.iter().filter_map(|loser| {
            let (row, rival) = (stands.get(&loser.row)?.clone(), *loser.rivals.first()?);
            let (txn, hlc) = writer(&mut kernel, rival, of_rival(settled, loser, rival));
            Some(Displacement {
                table: Arc::clone(table),
                row,
                by: stamp_json(txn, hlc).to_string(),
            })
        });
        lost.collect()
    }

    /// Finds the neighbours of rows, and theirs, until nobody is missing.
    async fn find_neighbours(
        &self,
        transaction: &mut Transaction<'_>,
        batch: &Batch<'_>,
        table: &Arc<Table>,
        neighbours: &mut Neighbours<Whole>,
        found: &mut Found,
    ) -> Result<(), Failure> {
        let contended = lock(&self.kernel).contended(table.id);
        loop {
            let open = neighbours.ask();
            if open.is_empty() {
                return Ok(());
            }
            let hashes: Vec<KeyHash> = open.iter().map(|(row, _)| row.key).collect();
            let living: Vec<(RowId, Whole)> = open
                .into_iter()
                .filter_map(|(row, image)| Some((row, image?)))
                .collect();
            let images: Vec<_> = living.iter().map(|(_, image)| image.row()).collect();
            let exclusions = transaction.excluders(table, &images).await?;
            for pair in exclusions.images {
                neighbours.exclude(living[pair.image].0, living[pair.other].0);
            }
            for StandingRow { row, values, .. } in exclusions.standing.into_iter().map(|pair| pair.other) {
                if neighbours.get(row).is_some() {
                    neighbours.take(row);
                    continue;
                }
                let image = Whole::of(table.columns.len(), values);
                found.put(batch, row, table, image.clone());
                let neighbour = Neighbour {
                    stands: Some(image.clone()),
                    displaced: None,
                    image: Some(image),
                };
                neighbours.found(row, neighbour);
            }
            if !contended {
                continue;
            }
            let displaced = exclusions.displaced.into_iter().map(|pair| pair.other);
            let mut unknown: Vec<KeyHash> = displaced
                .filter(|key| neighbours.get(row_of(table, *key)).is_none())
                .collect();
            let rivals = transaction.rivals(table, &hashes).await?;
            let recorded = rivals.iter().map(|rival| rival.row);
            unknown.extend(recorded.filter(|key| neighbours.get(row_of(table, *key)).is_none()));
            unknown.sort_unstable();
            unknown.dedup();
            for displaced in transaction.displaced(table, Which::Rows(&unknown)).await? {
                let row = row_of(table, displaced.row);
                found.put(batch, row, table, key_of(table, &displaced.key));
                let (image, last) = kept(table, displaced);
                let neighbour = Neighbour {
                    stands: None,
                    displaced: Some((image.clone(), last)),
                    image: Some(image),
                };
                neighbours.found(row, neighbour);
            }
            for rival in rivals {
                let (row, other) = (row_of(table, rival.row), row_of(table, rival.rival));
                found.put(batch, row, table, key_of(table, &rival.row_key));
                found.put(batch, other, table, key_of(table, &rival.rival_key));
                let last = LastWrite {
                    hlc: rival.hlc,
                    origin: rival.origin,
                };
                neighbours.in_the_way(row, other, last);
            }
        }
    }
}

/// What stands of rows that are gathered.
fn standing(neighbours: &Neighbours<Whole>) -> HashMap<RowId, Whole> {
    let stands = |row: RowId| Some((row, neighbours.get(row)?.stands.clone()?));
    neighbours.rows().filter_map(stands).collect()
}

/// When the row in a loser's way was last written.
fn of_rival(settled: &Settled<Whole>, loser: &Loser<Whole>, rival: RowId) -> LastWrite {
    let way = settled
        .ways
        .iter()
        .find(|(row, other, _)| (*row, *other) == (loser.row, rival));
    way.map_or(loser.last, |(.., last)| *last)
}

/// By which transaction a row was last written, as far as that is known, and when.
fn writer(kernel: &mut NodeKernel, row: RowId, last: LastWrite) -> (TxnId, Hlc) {
    let known = kernel.registers_mut().known(row).first().copied();
    let (origin, lsn) = (last.origin, Lsn::ZERO);
    (known.unwrap_or(TxnId { origin, lsn }), last.hlc)
}
