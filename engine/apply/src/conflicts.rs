//! Conflicts on their way into `synapse.conflict_log`.

use std::collections::BTreeMap;
use std::sync::Arc;

use postgres_types::{ToSql, Type};
use synapse_engine_identity::{Hlc, RowId, TableId, TxnId};
use synapse_engine_plan::{Batch, Table};
use tokio_postgres::{Client, Statement};

use crate::array::TextArray;
use crate::classify::Refusal;
use crate::error::{Error, Result};
use crate::pipeline::Pipeline;
use crate::render::Op;
use crate::rows::bytes_of;
use crate::transaction::Transaction;

/// The largest image that the log takes, in bytes of its values; of a larger one the size is noted in its place. A million
/// of them, the most that the log keeps unless it is told, are 32 GiB at worst.
pub const IMAGE_BYTES_MAX: usize = 16 << 10;
/// Conflicts of one statement at most: their images take no more than other statements' values.
const CHUNK_CONFLICTS_MAX: usize = 250;

/// A conflict for the log. How its row stands here is read when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedConflict {
    /// The row.
    pub row: RowId,
    /// The kind's name.
    pub kind: &'static str,
    /// The name of the policy that decided.
    pub policy: String,
    /// What became of the row.
    pub verdict: &'static str,
    /// What the row is by the incoming write, as JSON; `None`: it is gone.
    pub remote: Option<String>,
    /// The write that the incoming one met.
    pub local_stamp: (TxnId, Hlc),
    /// The incoming write.
    pub remote_stamp: (TxnId, Hlc),
}

/// What became of conflicts for the log.
#[derive(Clone, Debug)]
pub enum Logged {
    /// They are in it, under these numbers, when the transaction commits.
    As(Vec<i64>),
    /// The server did not take them. The transaction is as good as it was before.
    Refused(Box<Refusal>),
}

/// Conflicts of one statement, with their places in what was given.
struct Chunk<'c> {
    table: Arc<Table>,
    name: String,
    conflicts: Vec<(usize, &'c LoggedConflict)>,
}

impl<'a> Transaction<'_> {
    /// Writes conflicts of the batch into the log, and how their rows stand here: to be called when they are locked, and
    /// not yet written. That the log cannot be written does not hold up what is applied.
    ///
    /// # Errors
    /// When the session is lost, or a row is not of the batch.
    pub async fn log_conflicts(&mut self, batch: &Batch<'a>, conflicts: &[LoggedConflict]) -> Result<Logged> {
        let chunks = chunks(batch, conflicts)?;
        let client = self.enter().await?;
        let doing = Error::doing("begin to log conflicts");
        client.batch_execute("SAVEPOINT conflict_log").await.map_err(doing)?;
        let logged = match self.insert_conflicts(&client, batch, &chunks).await {
            Ok(ids) => {
                let mut numbers = vec![0; conflicts.len()];
                let places = chunks.iter().flat_map(|chunk| &chunk.conflicts).map(|(at, _)| *at);
                for (at, id) in places.zip(ids) {
                    numbers[at] = id;
                }
                Logged::As(numbers)
            }
            Err(Error::Refused { refusal, .. }) if !refusal.is_fatal() => {
                let back = "ROLLBACK TO SAVEPOINT conflict_log; RELEASE SAVEPOINT conflict_log";
                let doing = Error::doing("do without a log of conflicts");
                client.batch_execute(back).await.map_err(doing)?;
                Logged::Refused(refusal)
            }
            Err(error) => return Err(error),
        };
        self.leave();
        Ok(logged)
    }

    /// Takes conflicts that this transaction logged out of the log: their rows were not as they seemed.
    ///
    /// # Errors
    /// What the server says.
    pub async fn unlog_conflicts(&mut self, ids: &[i64]) -> Result<()> {
        let client = self.enter().await?;
        let sql = "DELETE FROM synapse.conflict_log WHERE id = ANY ($1)";
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&ids, Type::INT8_ARRAY)];
        let deleted = client.execute_typed(sql, &parameters).await;
        deleted.map_err(Error::doing("log conflicts again"))?;
        self.leave();
        Ok(())
    }

    async fn insert_conflicts(
        &mut self,
        client: &Arc<Client>,
        batch: &Batch<'a>,
        chunks: &[Chunk<'_>],
    ) -> Result<Vec<i64>> {
        // Prepared before anything is on its way: see `Transaction::prepare`.
        let mut prepared = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            prepared.push(self.statement(Op::LogConflicts, &chunk.table, &chunk.table.key).await?);
        }
        let texts: Vec<Vec<[String; 6]>> = chunks.iter().map(stamps).collect();
        let mut pipeline = Pipeline::new();
        for ((chunk, statement), texts) in chunks.iter().zip(prepared).zip(&texts) {
            let arrays = arrays(batch, chunk, texts)?;
            pipeline.send(insert(Arc::clone(client), statement, arrays)).await;
        }
        let release = client.batch_execute("RELEASE SAVEPOINT conflict_log");
        pipeline
            .send(async {
                release.await.map_err(Error::doing("log conflicts"))?;
                Ok(Vec::new())
            })
            .await;
        // All answers are taken, whatever they are: else nothing more can be asked.
        let mut done = Ok(Vec::new());
        while let Some(answer) = pipeline.next().await {
            done = done.and_then(|mut ids: Vec<i64>| {
                ids.extend(answer?);
                Ok(ids)
            });
        }
        done
    }
}

async fn insert(client: Arc<Client>, statement: Statement, arrays: Vec<TextArray<'_>>) -> Result<Vec<i64>> {
    let doing = Error::doing("log conflicts");
    let parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as _).collect();
    let rows = client.query(&statement, &parameters).await.map_err(doing)?;
    rows.iter().map(|row| row.try_get(0).map_err(doing)).collect()
}

/// Cuts conflicts into statements, each of one table.
fn chunks<'c>(batch: &Batch<'_>, conflicts: &'c [LoggedConflict]) -> Result<Vec<Chunk<'c>>> {
    let mut chunks: Vec<Chunk<'c>> = Vec::new();
    let mut open: BTreeMap<TableId, usize> = BTreeMap::new();
    for (at, conflict) in conflicts.iter().enumerate() {
        let row = conflict.row;
        let (table, _) = batch.rows.get(&row).ok_or(Error::UnknownRow { row })?;
        let has_room = |chunk: &usize| chunks[*chunk].conflicts.len() < CHUNK_CONFLICTS_MAX;
        let chunk = open.get(&table.id).copied().filter(has_room).unwrap_or(chunks.len());
        if chunk == chunks.len() {
            chunks.push(Chunk {
                table: Arc::clone(table),
                name: format!("{}.{}", table.schema, table.name),
                conflicts: Vec::new(),
            });
            open.insert(table.id, chunk);
        }
        chunks[chunk].conflicts.push((at, conflict));
    }
    Ok(chunks)
}

/// Positions, times and transactions of both stamps as text.
fn stamps(chunk: &Chunk<'_>) -> Vec<[String; 6]> {
    let of = |conflict: &LoggedConflict| {
        let ((local, local_hlc), (remote, remote_hlc)) = (conflict.local_stamp, conflict.remote_stamp);
        [
            local.lsn.to_string(),
            local_hlc.to_string(),
            local.to_string(),
            remote.lsn.to_string(),
            remote_hlc.to_string(),
            remote.to_string(),
        ]
    };
    chunk.conflicts.iter().map(|(_, conflict)| of(conflict)).collect()
}

/// One parameter for each column of the key, and for each that `render::conflict` names.
fn arrays<'p>(batch: &Batch<'p>, chunk: &'p Chunk<'_>, stamps: &'p [[String; 6]]) -> Result<Vec<TextArray<'p>>> {
    let mut arrays = Vec::new();
    for id in &chunk.table.key {
        let cells = chunk.conflicts.iter().map(|(_, conflict)| {
            let row = conflict.row;
            let (table, values) = batch.rows.get(&row).ok_or(Error::UnknownRow { row })?;
            bytes_of(table, *id, values)
        });
        arrays.push(TextArray(cells.collect::<Result<_>>()?));
    }
    let conflicts = || chunk.conflicts.iter().map(|(_, conflict)| *conflict);
    let column = |text: &dyn Fn(&'p LoggedConflict) -> Option<&'p str>| {
        TextArray(conflicts().map(|conflict| text(conflict).map(str::as_bytes)).collect())
    };
    let stamp = |at: usize| TextArray(stamps.iter().map(|texts| Some(texts[at].as_bytes())).collect());
    arrays.extend([
        TextArray(conflicts().map(|_| Some(chunk.name.as_bytes())).collect()),
        column(&|conflict| Some(conflict.kind)),
        column(&|conflict| Some(conflict.policy.as_str())),
        column(&|conflict| Some(conflict.verdict)),
        column(&|conflict| conflict.remote.as_deref()),
        column(&|conflict| Some(conflict.local_stamp.0.origin.node.as_str())),
        stamp(0),
        stamp(1),
        stamp(2),
        column(&|conflict| Some(conflict.remote_stamp.0.origin.node.as_str())),
        stamp(3),
        stamp(4),
        stamp(5),
    ]);
    Ok(arrays)
}
