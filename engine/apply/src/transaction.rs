//! One transaction of an apply session, from BEGIN and its marker to its end.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use postgres_types::{PgLsn, ToSql, Type};
use synapse_engine_identity::RowId;
use synapse_engine_plan::Table;
use synapse_engine_replication::{InProgress, Marker, MarkerKind, PREFIX};
use synapse_wal_types::{Lsn, Oid, PgTimestamp, Xid};
use tokio_postgres::{Client, Statement};

use crate::array::Time;
use crate::error::{Error, Result};
use crate::origin;
use crate::pipeline::Pipeline;
use crate::render::{self, Op};
use crate::session::Session;

/// What a transaction is begun with.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Its first item; the server adds the snapshot's xmin, so `Marker::xmin` is not looked at.
    pub marker: Marker,
    /// When the last of its transactions committed at its origin: PostgreSQL shows it as this transaction's time.
    pub commit_ts: PgTimestamp,
    /// Rows last written by an xid below it are known to the verdicts; `None`: none are. Frozen with the verdicts.
    pub horizon: Option<Xid>,
    /// The numbers of all of our origins on this server ([`crate::our_roidents`]).
    pub our_roidents: Vec<Oid>,
}

/// An open transaction. Dropped without an end, it is rolled back.
#[derive(Debug)]
pub struct Transaction<'s> {
    pub(crate) session: &'s mut Session,
    pub(crate) guard: Guard,
    /// Which rows were there when they were locked, by the last call that locked any.
    pub(crate) locked: std::collections::HashMap<RowId, bool>,
    /// BEGIN and marker, until they go out in front of the first statements.
    opening: Option<Opening>,
    /// Prepared before anything is sent, as all statements are.
    position: Statement,
    /// What was in progress before the first of those calls.
    pub(crate) in_progress: Option<Vec<InProgress>>,
    ends_at: End,
    state: State,
}

/// What every transaction begins with.
#[derive(Debug)]
struct Opening {
    marker: Statement,
    stem: String,
}

/// Where the commit leaves the origin, and when.
#[derive(Clone, Copy, Debug)]
struct End {
    progress: Lsn,
    commit_ts: PgTimestamp,
}

/// What a guarded statement is given besides its rows.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) ours: Arc<Vec<u32>>,
    pub(crate) horizon: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// A statement failed, or its future was dropped before its answer came.
    Failed,
    Ended,
}

impl Session {
    /// Begins a transaction with its marker; both go out with its first statements. The origin's progress moves with its
    /// commit to the marker's `last`, but not for a re-check, which leaves it where it is.
    pub async fn begin(&mut self, begin: Begin) -> Result<Transaction<'_>> {
        let moves_to = match begin.marker.kind {
            MarkerKind::Batch => Some(begin.marker.last),
            MarkerKind::Recheck { .. } => None,
        };
        let guard = Guard {
            ours: Arc::new(begin.our_roidents.iter().map(|oid| oid.0).collect()),
            horizon: begin.horizon.map(|xid| xid.to_string()),
        };
        let ends_at = End {
            progress: moves_to.unwrap_or(self.progress),
            commit_ts: begin.commit_ts,
        };
        let opening = Opening {
            marker: self.statements.marker(&self.client).await?,
            stem: begin.marker.stem(),
        };
        let position = self.statements.position(&self.client).await?;
        Ok(Transaction {
            session: self,
            guard,
            locked: std::collections::HashMap::new(),
            opening: Some(opening),
            position,
            in_progress: None,
            ends_at,
            state: State::Open,
        })
    }
}

/// The marker; the transaction's snapshot is of its first statement.
pub(crate) const MARKER_SQL: &str =
    "SELECT pg_logical_emit_message(true, 'synapse', $1 || pg_snapshot_xmin(pg_current_snapshot())::text)";
/// Types of its parameters.
pub(crate) const MARKER_TYPES: [Type; 1] = [Type::TEXT];
/// Where the origin is after the commit. The server does not forget it at commit, so every transaction says it.
pub(crate) const POSITION_SQL: &str = "SELECT pg_replication_origin_xact_setup($1, $2)";
/// Types of its parameters.
pub(crate) const POSITION_TYPES: [Type; 2] = [Type::PG_LSN, Type::TIMESTAMPTZ];

const _: () = assert!(PREFIX.len() == "synapse".len(), "MARKER_SQL writes the prefix out");

impl Transaction<'_> {
    /// Takes the lock that TRUNCATE needs, on all tables at once. Comes before anything that writes rows.
    pub async fn lock_tables(&mut self, tables: &[Arc<Table>]) -> Result<()> {
        if tables.is_empty() {
            return Ok(());
        }
        let sql = render::lock_tables(tables.iter().map(AsRef::as_ref));
        let client = self.enter().await?;
        client.batch_execute(&sql).await.map_err(Error::doing("lock tables"))?;
        self.leave();
        Ok(())
    }

    /// Commits. Any error but [`Error::CommitUnknown`] means that nothing was committed.
    ///
    /// The origin's position is set here, right before COMMIT, and not when the transaction begins: since
    /// PostgreSQL 16 an *abort* moves the origin to it as well (`RecordTransactionAbort` in `xact.c`), and transactions
    /// that were rolled back would count as applied. Until here the position is that of the commit before.
    pub async fn commit(mut self) -> Result<()> {
        let client = self.enter().await?;
        let unknown = |cause: String| Error::CommitUnknown { cause };
        let End { progress, commit_ts } = self.ends_at;
        let position = self.position.clone();
        let mut pipeline = Pipeline::new();
        let to_set = Arc::clone(&client);
        pipeline
            .send(async move {
                let parameters: [&(dyn ToSql + Sync); 2] = [&PgLsn::from(progress.0), &Time(commit_ts)];
                let set = to_set.execute(&position, &parameters).await;
                set.map(|_| ()).map_err(Error::doing("set the origin's position"))
            })
            .await;
        // Should that fail, this is a rollback.
        let commit = client.batch_execute("COMMIT");
        pipeline
            .send(async { commit.await.map_err(Error::doing("commit")) })
            .await;
        let mut done = Ok(());
        while let Some(answer) = pipeline.next().await {
            done = done.and(answer);
        }
        match done {
            Ok(()) => {
                self.state = State::Ended;
                self.session.progress = self.session.progress.max(self.ends_at.progress);
                Ok(())
            }
            Err(Error::Lost { source, .. }) => Err(unknown(source.to_string())),
            // The server may end a session that waits for a synchronous standby after it has committed.
            Err(Error::Refused { refusal, .. }) if refusal.is_fatal() => Err(unknown(refusal.to_string())),
            Err(error) => {
                self.state = State::Ended;
                client
                    .batch_execute("ROLLBACK")
                    .await
                    .map_err(Error::doing("roll back"))?;
                origin::rewind(&client, self.session.origin, self.session.progress).await?;
                Err(error)
            }
        }
    }

    /// Rolls back.
    pub async fn rollback(mut self) -> Result<()> {
        self.state = State::Ended;
        if self.opening.is_some() {
            return Ok(());
        }
        let client = Arc::clone(&self.session.client);
        client
            .batch_execute("ROLLBACK")
            .await
            .map_err(Error::doing("roll back"))
    }

    /// Whether the transaction can only be rolled back.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state != State::Open
    }

    /// Begins to talk to the server: until [`Self::leave`] the transaction counts as failed, so that a future that is
    /// dropped half-way, or an error, leaves it so.
    pub(crate) async fn enter(&mut self) -> Result<Arc<Client>> {
        self.check_open()?;
        let mut pipeline = Pipeline::new();
        self.open(&mut pipeline, || ()).await;
        while let Some(answer) = pipeline.next().await {
            answer?;
        }
        Ok(Arc::clone(&self.session.client))
    }

    /// [`Self::enter`] without BEGIN and marker, which [`Self::open`] sends then.
    pub(crate) fn check_open(&mut self) -> Result<()> {
        if self.has_failed() {
            return Err(Error::Failed);
        }
        self.state = State::Failed;
        Ok(())
    }

    /// Sends BEGIN and marker, if they have not gone out, each with `answer` for its answer. Should BEGIN fail, what is
    /// sent behind it fails too: outside a transaction of its own the session may only read.
    pub(crate) async fn open<'p, T: 'p>(&mut self, pipeline: &mut Pipeline<'p, T>, answer: fn() -> T) {
        let Some(Opening { marker, stem }) = self.opening.take() else {
            return;
        };
        let client = Arc::clone(&self.session.client);
        pipeline
            .send(async move {
                let begin = client.batch_execute("BEGIN READ WRITE");
                begin.await.map_err(Error::doing("begin a transaction"))?;
                Ok(answer())
            })
            .await;
        let client = Arc::clone(&self.session.client);
        pipeline
            .send(async move {
                let parameters: [&(dyn ToSql + Sync); 1] = [&stem];
                let marker = client.execute(&marker, &parameters);
                marker.await.map_err(Error::doing("write a marker"))?;
                Ok(answer())
            })
            .await;
    }

    pub(crate) fn leave(&mut self) {
        self.state = State::Open;
    }

    /// The prepared statement, prepared now if it is not.
    pub(crate) async fn statement(
        &mut self,
        op: Op,
        table: &Arc<Table>,
        columns: &[synapse_engine_identity::ColumnId],
    ) -> Result<Statement> {
        if let Some(statement) = self.session.statements.known(op, table, columns) {
            return Ok(statement);
        }
        let client = Arc::clone(&self.session.client);
        self.session.statements.prepare(&client, op, table, columns).await
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.state != State::Ended && self.opening.is_none() {
            // The driver sends a statement when its future is polled for the first time; the answer is of no interest.
            let rollback = pin!(self.session.client.batch_execute("ROLLBACK"));
            let _ = rollback.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
