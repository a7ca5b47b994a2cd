//! Values that are not in a batch: read back from journals.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synapse_engine_apply::{MissingValues, Texts, Values};
use synapse_engine_change::{Block, Change, Tuple, Value};
use synapse_engine_identity::{ColumnId, Origin, RowId, Stamp, TxnId};
use synapse_engine_plan::{Batch, Row, Step, Table, Written};
use synapse_wal_types::Lsn;

use super::failure::Failure;
use crate::answer::ask_one;
use crate::error::Error;
use crate::feed::Next;
use crate::frames::{Answer, Request};
use crate::mend;
use crate::shared::{NodeKernel, Shared, lock};
use crate::tables::Directory;

/// Capture closes its block as soon as nothing more is waiting; at the journal's limit it closes none.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(5);

/// A peer that has what is damaged here gives it at once.
const MEND_PATIENCE: Duration = Duration::from_secs(1);

/// A value of its own.
#[derive(Clone, Debug)]
pub(super) enum Owned {
    Null,
    Text(Vec<u8>),
}

impl Owned {
    fn value(this: Option<&Self>) -> Value<'_> {
        match this {
            None => Value::Unchanged,
            Some(Owned::Null) => Value::Null,
            Some(Owned::Text(bytes)) => Value::Text(bytes),
        }
    }
}

/// A row's values of its own, by local column.
type OwnedRow = Vec<Option<Owned>>;

/// What transactions did, out of journals; and what a peer was asked for.
#[derive(Debug)]
pub(super) struct FromJournals {
    directory: Arc<Directory>,
    /// The blocks in which a transaction stands, each with its place there.
    pieces: HashMap<TxnId, Vec<(Arc<Block>, usize)>>,
    wanted: Vec<(TxnId, RowId)>,
    asked: HashMap<RowId, OwnedRow>,
}

impl FromJournals {
    pub(super) fn new(shared: &Shared) -> Self {
        FromJournals {
            directory: shared.directory(),
            pieces: HashMap::new(),
            wanted: Vec::new(),
            asked: HashMap::new(),
        }
    }

    /// Reads what `txn` did, to look at `row`.
    pub(super) async fn want(&mut self, shared: &Shared, txn: TxnId, row: RowId) -> Result<(), Failure> {
        self.wanted.push((txn, row));
        if self.pieces.contains_key(&txn) {
            return Ok(());
        }
        journalled(shared, txn).await?;
        let mut pieces = Vec::new();
        for block in blocks(shared, txn.origin, txn.lsn, txn.lsn).await? {
            let places = (0..block.transactions.len()).filter(|at| block.transactions[*at].lsn == txn.lsn);
            let places: Vec<usize> = places.collect();
            pieces.extend(places.into_iter().map(|at| (Arc::clone(&block), at)));
        }
        self.pieces.insert(txn, pieces);
        Ok(())
    }

    /// What a transaction that is wanted did to a row.
    pub(super) fn written(&self, txn: TxnId, row: RowId) -> Result<Written<'_>, Failure> {
        let mut written = Written::default();
        for (block, at) in self.pieces.get(&txn).into_iter().flatten() {
            written.take(&*self.directory, block, *at, row)?;
        }
        Ok(written)
    }

    /// The stamp of a transaction that is wanted, and its node's time of commit.
    pub(super) fn stamp(&self, txn: TxnId) -> Option<Stamp> {
        let (block, at) = self.pieces.get(&txn)?.first()?;
        Some(block.stamp(*at))
    }

    /// Where a transaction that is wanted stands.
    pub(super) fn pieces(&self, txn: TxnId) -> &[(Arc<Block>, usize)] {
        self.pieces.get(&txn).map_or(&[], Vec::as_slice)
    }

    /// The tables that rows are read as.
    pub(super) fn tables(&self) -> &Directory {
        &self.directory
    }

    pub(super) fn values(&self) -> Result<Values<'_>, Failure> {
        let mut authors = HashMap::new();
        for (txn, row) in &self.wanted {
            let known = self.written(*txn, *row)?.values;
            if let Some(values) = known.or_else(|| self.asked.get(row).map(borrowed)) {
                authors.insert((*txn, *row), values);
            }
        }
        let filled = self.asked.iter().map(|(row, values)| (*row, borrowed(values)));
        Ok(Values {
            authors,
            filled: filled.collect(),
        })
    }

    /// Whether a journal said what `txn` wrote to `row`.
    pub(super) fn has(&self, txn: TxnId, row: RowId) -> Result<bool, Failure> {
        Ok(self.written(txn, row)?.values.is_some())
    }

    /// Takes values of `columns` that were found elsewhere.
    pub(super) fn fill(&mut self, row: RowId, width: usize, columns: &[ColumnId], texts: Texts) {
        let mut values: OwnedRow = vec![None; width];
        for (column, text) in columns.iter().zip(texts) {
            values[usize::from(column.0)] = Some(text.map_or(Owned::Null, Owned::Text));
        }
        self.asked.insert(row, values);
    }

    /// The rows alone, where each has one author.
    pub(super) fn rows(&self) -> Result<HashMap<RowId, Row<'_>>, Failure> {
        let mut rows = HashMap::new();
        for (txn, row) in &self.wanted {
            if let Some(values) = self.written(*txn, *row)?.values {
                rows.insert(*row, values);
            }
        }
        Ok(rows)
    }
}

fn borrowed(row: &OwnedRow) -> Row<'_> {
    row.iter().map(|value| Owned::value(value.as_ref())).collect()
}

/// Asks the node of `origin` for values of a row, as they are there now. What changed them since comes by itself.
pub(super) async fn ask(
    shared: &Arc<Shared>,
    origin: Origin,
    table: &Table,
    row: &Row<'_>,
    columns: &[ColumnId],
) -> Result<Option<Texts>, Failure> {
    let text = |id: &ColumnId| match row[usize::from(id.0)] {
        Value::Text(bytes) => Some((table.at(*id).name.clone(), bytes.to_vec())),
        Value::Null | Value::Unchanged | Value::Binary(_) => None,
    };
    let request = Request::RowTexts {
        schema: table.schema.clone(),
        table: table.name.clone(),
        key: table.key.iter().filter_map(text).collect(),
        columns: columns.iter().map(|id| table.at(*id).name.clone()).collect(),
    };
    match ask_one(shared, origin.node, request).await {
        Ok(Answer::RowTexts(texts)) => Ok(texts),
        Ok(_) => Err(Failure::Unanswered(
            "it answered something else than was asked".to_owned(),
        )),
        Err(error) => Err(Failure::Unanswered(error.to_string())),
    }
}

/// Reads what is missing from the journals of its authors.
pub(super) async fn fetch(shared: &Shared, missing: &[MissingValues]) -> Result<FromJournals, Failure> {
    let mut found = FromJournals::new(shared);
    for row in missing {
        for (txn, _) in &row.authors {
            found.want(shared, *txn, row.row).await?;
        }
    }
    Ok(found)
}

/// A local transaction is known to the registers a moment before its block is closed.
pub(super) async fn journalled(shared: &Shared, txn: TxnId) -> Result<(), Failure> {
    let log = shared.journal.log(txn.origin).map_err(Error::from)?;
    let mut grown = shared.growth.of(txn.origin);
    while log.end() < txn.lsn && txn.origin == shared.me {
        if tokio::time::timeout(JOURNAL_PATIENCE, grown.changed()).await.is_err() {
            return Err(Failure::GaveWay);
        }
    }
    Ok(())
}

/// The blocks of an origin in which the transactions `first..=last` stand. A damaged one is waited for a moment, because
/// rows may be locked meanwhile: then the batch gives way, and comes back.
pub(super) async fn blocks(shared: &Shared, origin: Origin, first: Lsn, last: Lsn) -> Result<Vec<Arc<Block>>, Failure> {
    let log = shared.journal.log(origin).map_err(Error::from)?;
    let mut reader = log.read_after(Lsn(first.0.saturating_sub(1))).map_err(Error::from)?;
    let mut found = Vec::new();
    let waited = || Failure::Unanswered(format!("the journal of {origin} is damaged"));
    while let Some(block) = tokio::time::timeout(MEND_PATIENCE, mend::next_block(shared, &mut reader))
        .await
        .map_err(|_| waited())??
    {
        if block.header().first > last {
            break;
        }
        found.push(Arc::new(block.decode().map_err(Error::from)?));
    }
    Ok(found)
}

/// The keys of rows that survive a TRUNCATE of the batch: as their last writer's journal has them.
pub(super) async fn survivors(
    shared: &Shared,
    kernel: &Mutex<NodeKernel>,
    batch: &Batch<'_>,
) -> Result<Option<FromJournals>, Failure> {
    let truncates = batch.steps.iter().filter_map(|step| match step {
        Step::Truncate { tables, .. } => Some(tables),
        Step::Delete(_)
        | Step::Update(_)
        | Step::Insert(_)
        | Step::InsertKeyless { .. }
        | Step::Move { .. }
        | Step::Keyless { .. } => None,
    });
    let survivors = truncates.flatten().flat_map(|table| &table.survivors).copied();
    // Collected: closures that borrow do not go from thread to thread while something is awaited.
    let outside: Vec<RowId> = survivors.filter(|row| !batch.rows.contains_key(row)).collect();
    if outside.is_empty() {
        return Ok(None);
    }
    let mut found = FromJournals::new(shared);
    for row in outside {
        let known = lock(kernel).registers_mut().known(row);
        for txn in known {
            found.want(shared, txn, row).await?;
            if found.has(txn, row)? {
                break;
            }
        }
    }
    Ok(Some(found))
}

/// A transaction's changes for a person to read, as JSON.
pub(super) fn as_json(next: &Next) -> String {
    let changes = next.block.changes_of(next.at).map(|change| {
        let relation = change.relation();
        let row = |tuple: Tuple<'_>| {
            let columns = relation.columns.iter().zip(tuple.iter()).map(|(c, v)| (c.name.clone(), json(v)));
            serde_json::Value::Object(columns.collect())
        };
        let (op, old, new) = match change {
            Change::Insert { new, .. } => ("insert", None, Some(row(new))),
            Change::Update { old, new, .. } => ("update", old.map(|old| row(old.tuple())), Some(row(new))),
            Change::Delete { old, .. } => ("delete", Some(row(old.tuple())), None),
            Change::Truncate { .. } => ("truncate", None, None),
        };
        serde_json::json!({ "table": format!("{}.{}", relation.schema, relation.name), "op": op, "old": old, "new": new })
    });
    // The changes of a transaction are bounded by a block; of a large one the first part is kept.
    serde_json::Value::Array(changes.collect()).to_string()
}

/// A value as JSON: text as text; what the stream did not carry is left open.
pub(super) fn json(value: Value<'_>) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Unchanged => serde_json::json!({ "unchanged": true }),
        Value::Text(bytes) => serde_json::Value::String(String::from_utf8_lossy(bytes).into_owned()),
        Value::Binary(bytes) => serde_json::json!({ "binary_bytes": bytes.len() }),
    }
}
