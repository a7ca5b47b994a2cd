//! The conflicts of a batch on their way into `synapse.conflict_log`, in the transaction that resolves them.

mod images;

use std::collections::HashMap;

use synapse_engine_apply::{Executed, Logged, LoggedConflict, Transaction};
use synapse_engine_identity::{RowId, TableId};
use synapse_engine_plan::{Batch, Conflict, Row, Table};
use synapse_engine_replication::Outcome;

use super::failure::Failure;
use crate::conflicts::{Class, Counts, Met, NO_POLICY, policy_of};
use crate::feed::Next;
use crate::shared::Shared;
use images::{images, json};

/// The conflicts of one batch.
pub(super) struct Log {
    /// All of them.
    conflicts: Vec<Conflict>,
    /// The first of them, as many as the rate allows.
    chosen: Vec<Chosen>,
    room: usize,
}

/// A conflict for the log.
struct Chosen {
    conflict: LoggedConflict,
    /// Its number, once it is in the log.
    id: Option<i64>,
    /// Whether it stays as it was logged: its row went after that.
    is_final: bool,
}

impl Chosen {
    const fn new(conflict: LoggedConflict) -> Self {
        Chosen {
            conflict,
            id: None,
            is_final: false,
        }
    }
}

impl Log {
    /// Chooses at most `room` of the conflicts of a batch of `txns`.
    pub(super) fn of(batch: &Batch<'_>, txns: &[Next], room: u64) -> Self {
        let mut log = Log {
            conflicts: Vec::new(),
            chosen: Vec::new(),
            room: usize::try_from(room).unwrap_or(usize::MAX),
        };
        log.add(batch, txns, batch.conflicts.clone());
        log
    }

    /// Takes in conflicts, in the order in which they were found.
    pub(super) fn add(&mut self, batch: &Batch<'_>, txns: &[Next], found: Vec<Conflict>) {
        let chosen = &found[..self.room.saturating_sub(self.chosen.len()).min(found.len())];
        let mut images = images(batch, txns, chosen);
        let entry = |(at, conflict): (usize, &Conflict)| LoggedConflict {
            row: conflict.row,
            kind: conflict.kind.name(),
            policy: policy_of(conflict),
            verdict: conflict.met.outcome.name(),
            remote: images.remove(&at),
            local_stamp: (conflict.met.by, conflict.met.hlc),
            remote_stamp: (conflict.txn, conflict.hlc),
        };
        let chosen = chosen.iter().enumerate().map(entry);
        self.chosen.extend(chosen.map(Chosen::new));
        self.conflicts.extend(found);
    }

    /// Takes in a conflict of a row with one that excludes it; `remote` is the row that came.
    pub(super) fn displaced(&mut self, table: &Table, conflict: Conflict, remote: &Row<'_>) {
        if self.chosen.len() == self.conflicts.len() && self.chosen.len() < self.room {
            let logged = LoggedConflict {
                row: conflict.row,
                kind: conflict.kind.name(),
                policy: policy_of(&conflict),
                verdict: conflict.met.outcome.name(),
                remote: Some(json(table, remote).to_string()),
                local_stamp: (conflict.met.by, conflict.met.hlc),
                remote_stamp: (conflict.txn, conflict.hlc),
            };
            self.chosen.push(Chosen::new(logged));
        }
        self.conflicts.push(conflict);
    }

    /// How many conflicts were found so far.
    pub(super) const fn found(&self) -> usize {
        self.conflicts.len()
    }

    /// Forgets all conflicts but the first `found`, also in the log.
    pub(super) async fn take_back(&mut self, transaction: &mut Transaction<'_>, found: usize) -> Result<(), Failure> {
        let later = self.chosen.drain(found.min(self.chosen.len())..);
        let ids: Vec<i64> = later.filter_map(|chosen| chosen.id).collect();
        self.conflicts.truncate(found);
        if !ids.is_empty() {
            transaction.unlog_conflicts(&ids).await?;
        }
        Ok(())
    }

    /// Whether a conflict over `row` was found.
    pub(super) fn has(&self, row: RowId) -> bool {
        self.conflicts.iter().any(|conflict| conflict.row == row)
    }

    /// The rows over which a conflict was found.
    pub(super) fn rows(&self) -> impl Iterator<Item = RowId> + '_ {
        self.conflicts.iter().map(|conflict| conflict.row)
    }

    /// Of `rows`, which are sorted, those over which a conflict is to be logged.
    pub(super) fn chosen_of(&self, rows: &[RowId]) -> Vec<RowId> {
        let chosen = self.chosen.iter().map(|chosen| chosen.conflict.row);
        let mut chosen: Vec<RowId> = chosen.filter(|row| rows.binary_search(row).is_ok()).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    /// What was logged of `rows`, which are sorted, stays so: they are about to go.
    pub(super) fn keep_as_logged(&mut self, rows: &[RowId]) {
        for chosen in &mut self.chosen {
            chosen.is_final |= rows.binary_search(&chosen.conflict.row).is_ok();
        }
    }

    /// How many changed nothing.
    pub(super) fn lost(&self) -> u64 {
        let lost = self
            .conflicts
            .iter()
            .filter(|conflict| conflict.met.outcome == Outcome::Local);
        lost.count() as u64
    }

    /// Logs the conflicts of `rows`, which are sorted, locked, and about to be written. Asked again for a row that was not
    /// as it was locked, and so not written: its entry is written again.
    pub(super) async fn write(
        &mut self,
        transaction: &mut Transaction<'_>,
        shared: &Shared,
        batch: &Batch<'_>,
        rows: &[RowId],
    ) -> Result<(), Failure> {
        let due = |chosen: &&mut Chosen| !chosen.is_final && rows.binary_search(&chosen.conflict.row).is_ok();
        let mut due: Vec<_> = self.chosen.iter_mut().filter(due).collect();
        if due.is_empty() {
            return Ok(());
        }
        let before: Vec<i64> = due.iter_mut().filter_map(|chosen| chosen.id.take()).collect();
        if !before.is_empty() {
            transaction.unlog_conflicts(&before).await?;
        }
        let conflicts: Vec<LoggedConflict> = due.iter().map(|chosen| chosen.conflict.clone()).collect();
        match transaction.log_conflicts(batch, &conflicts).await? {
            Logged::As(ids) => {
                for (chosen, id) in due.into_iter().zip(ids) {
                    chosen.id = Some(id);
                }
                shared.conflicts.log_takes();
            }
            // Not only now, as a rule: it is said once, until the log takes some again.
            Logged::Refused(refusal) => {
                if shared.conflicts.log_refuses() {
                    tracing::warn!(%refusal, "conflicts are decided and counted, and not logged: synapse.conflict_log cannot be written");
                }
            }
        }
        Ok(())
    }

    /// What the batch met, to be counted when it is committed.
    pub(super) fn met(self, shared: &Shared, batch: &Batch<'_>, executed: &KeylessMissing) -> Met {
        let mut met = Met::default();
        let mut logged = self.chosen.iter().map(|chosen| chosen.id.is_some());
        let directory = shared.directory();
        // Of rows that went with a TRUNCATE the batch does not know the table.
        let mut names: HashMap<TableId, String> = HashMap::new();
        let mut name_of = |row: RowId| {
            let known = || batch.rows.get(&row).map(|(table, _)| table);
            let table = || known().or_else(|| directory.by_id(row.table));
            let name = || table().map_or_else(unnamed, |table| name(table));
            names.entry(row.table).or_insert_with(name).clone()
        };
        for conflict in &self.conflicts {
            let class = Class {
                table: name_of(conflict.row),
                kind: conflict.kind.name(),
                policy: policy_of(conflict),
            };
            if logged.next().unwrap_or(false) {
                met.logged += 1;
            } else {
                *met.left_out.entry(class.clone()).or_default() += 1;
            }
            *met.found.entry(class).or_default() += 1;
        }
        executed.count(shared, &mut met.found);
        met
    }
}

/// Changes of tables without a key that found no row.
pub(super) struct KeylessMissing(Vec<(TableId, &'static str, u64)>);

impl KeylessMissing {
    pub(super) fn of(executed: &Executed) -> Self {
        let updates = executed
            .update_missing
            .iter()
            .map(|(id, n)| (*id, "update_missing", *n));
        let deletes = executed
            .delete_missing
            .iter()
            .map(|(id, n)| (*id, "delete_missing", *n));
        KeylessMissing(updates.chain(deletes).collect())
    }

    fn count(&self, shared: &Shared, found: &mut Counts) {
        for (id, kind, count) in &self.0 {
            let class = Class {
                table: shared.directory().by_id(*id).map_or_else(unnamed, |table| name(table)),
                kind,
                policy: NO_POLICY.to_owned(),
            };
            *found.entry(class).or_default() += count;
        }
    }
}

fn name(table: &Table) -> String {
    format!("{}.{}", table.schema, table.name)
}

/// A table that was dropped meanwhile.
fn unnamed() -> String {
    "?".to_owned()
}
