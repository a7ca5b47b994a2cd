//! Values that are not in a batch: read back from journals.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synapse_engine_apply::{MissingValues, Texts, Values};
use synapse_engine_change::{Block, Change, Tuple, Value};
use synapse_engine_identity::{ColumnId, Origin, RowId, TxnId};
use synapse_engine_plan::{Batch, Mapping, Row, Step, Table, Tables, writes_of};
use synapse_engine_replication::Target;
use synapse_wal_types::Lsn;

use super::failure::Failure;
use crate::answer::ask_one;
use crate::error::Error;
use crate::feed::Next;
use crate::frames::{Answer, Request};
use crate::mend;
use crate::shared::{NodeKernel, Shared, lock};

/// Capture closes its block as soon as nothing more is waiting; at the journal's limit it closes none.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(5);

/// A peer that has what is damaged here gives it at once.
const MEND_PATIENCE: Duration = Duration::from_secs(1);

/// A value of its own.
#[derive(Clone, Debug)]
pub(super) enum Owned {
    Null,
    Text(Vec<u8>),
    Binary(Vec<u8>),
}

impl Owned {
    fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Unchanged => None,
            Value::Null => Some(Owned::Null),
            Value::Text(bytes) => Some(Owned::Text(bytes.to_vec())),
            Value::Binary(bytes) => Some(Owned::Binary(bytes.to_vec())),
        }
    }

    fn value(this: Option<&Self>) -> Value<'_> {
        match this {
            None => Value::Unchanged,
            Some(Owned::Null) => Value::Null,
            Some(Owned::Text(bytes)) => Value::Text(bytes),
            Some(Owned::Binary(bytes)) => Value::Binary(bytes),
        }
    }
}

/// What one transaction wrote to one row, by local column.
type Written = Vec<Option<Owned>>;

/// Values fetched from journals.
#[derive(Debug, Default)]
pub(super) struct FromJournals {
    authors: HashMap<(TxnId, RowId), Written>,
    filled: HashMap<RowId, Written>,
}

impl FromJournals {
    pub(super) fn values(&self) -> Values<'_> {
        let authors = self
            .authors
            .iter()
            .map(|(key, row)| (*key, row.iter().map(|v| Owned::value(v.as_ref())).collect()));
        let filled = self.filled.iter().map(|(row, values)| (*row, borrowed(values)));
        Values {
            authors: authors.collect(),
            filled: filled.collect(),
        }
    }

    /// Whether a journal said what `txn` wrote to `row`.
    pub(super) fn has(&self, txn: TxnId, row: RowId) -> bool {
        self.authors.contains_key(&(txn, row))
    }

    /// Takes values of `columns` that were found elsewhere, for all that `lack` names.
    pub(super) fn fill(&mut self, lack: &MissingValues, width: usize, columns: &[ColumnId], texts: Texts) {
        let mut row: Written = vec![None; width];
        for (column, text) in columns.iter().zip(texts) {
            row[usize::from(column.0)] = Some(text.map_or(Owned::Null, Owned::Text));
        }
        for (txn, _) in &lack.authors {
            self.authors.entry((*txn, lack.row)).or_insert_with(|| row.clone());
        }
        self.filled.insert(lack.row, row);
    }

    /// The rows alone, where each has one author.
    pub(super) fn rows(&self) -> HashMap<RowId, Row<'_>> {
        let rows = self.authors.iter();
        rows.map(|((_, row), values)| (*row, values.iter().map(|v| Owned::value(v.as_ref())).collect()))
            .collect()
    }
}

fn borrowed(row: &Written) -> Row<'_> {
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
    let mut found = FromJournals::default();
    for row in missing {
        for (txn, _) in &row.authors {
            journalled(shared, *txn).await?;
            if let Some(written) = written(shared, *txn, row.row).await? {
                found.authors.insert((*txn, row.row), written);
            }
        }
    }
    Ok(found)
}

/// A local transaction is known to the registers a moment before its block is closed.
async fn journalled(shared: &Shared, txn: TxnId) -> Result<(), Failure> {
    let log = shared.journal.log(txn.origin).map_err(Error::from)?;
    let mut grown = shared.growth.of(txn.origin);
    while log.end() < txn.lsn && txn.origin == shared.me {
        if tokio::time::timeout(JOURNAL_PATIENCE, grown.changed()).await.is_err() {
            return Err(Failure::GaveWay);
        }
    }
    Ok(())
}

/// What `txn` wrote to `row`; `None` when the journal does not say.
async fn written(shared: &Shared, txn: TxnId, row: RowId) -> Result<Option<Written>, Failure> {
    let directory = shared.directory();
    let mut found: Option<Written> = None;
    for block in blocks(shared, txn.origin, txn.lsn, txn.lsn).await? {
        for (at, one) in block.transactions.iter().enumerate().filter(|(_, t)| t.lsn == txn.lsn) {
            debug_assert_eq!(one.lsn, txn.lsn, "filtered above");
            for change in block.changes_of(at) {
                let Some(table) = directory.find(change.relation()) else {
                    continue;
                };
                let mapping = Mapping::new(change.relation(), &table)?;
                let Some(new) = new_tuple(&change) else { continue };
                if writes_of(&mapping, &change).iter().flatten().all(|w| w.row != row) {
                    continue;
                }
                let values = mapping.row(new);
                let merged = found.get_or_insert_with(|| vec![None; values.len()]);
                for (place, value) in merged.iter_mut().zip(values) {
                    if let Some(owned) = Owned::of(value) {
                        *place = Some(owned);
                    }
                }
            }
        }
    }
    Ok(found)
}

fn new_tuple<'a>(change: &Change<'a>) -> Option<Tuple<'a>> {
    match *change {
        Change::Insert { new, .. } | Change::Update { new, .. } => Some(new),
        Change::Delete { .. } | Change::Truncate { .. } => None,
    }
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
    let mut found = None;
    for row in outside {
        let author = {
            let mut kernel = lock(kernel);
            match kernel.registers_mut().target(row) {
                Target::Live(winners) => winners.first().map(|(author, _)| TxnId {
                    origin: kernel.registers().origin(author.origin),
                    lsn: author.lsn,
                }),
                Target::Untouched | Target::Dead => None,
            }
        };
        if let Some(txn) = author
            && let Some(written) = written(shared, txn, row).await?
        {
            found
                .get_or_insert_with(FromJournals::default)
                .authors
                .insert((txn, row), written);
        }
    }
    Ok(found)
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
