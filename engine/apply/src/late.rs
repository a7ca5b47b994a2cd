//! Transactions that a new snapshot would not see: they run, or have committed and are not visible yet.

use std::sync::Arc;
use std::time::Duration;

use synapse_engine_replication::InProgress;
use synapse_wal_types::Xid;
use tokio::time::Instant;
use tokio_postgres::{Client, Row, Statement};

use crate::error::{Error, Result};
use crate::transaction::Transaction;

/// A commit becomes visible within microseconds, unless it waits for a synchronous standby.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// As long as an application may hold up a row by its lock.
const PATIENCE: Duration = Duration::from_secs(2);

/// Every xid that its snapshot does not see, and whether it has a commit timestamp: that is set after the commit record is
/// written and before the transaction is visible (`RecordTransactionCommit` in `xact.c`). A snapshot lists what runs below
/// its xmax; what is above it and began before this transaction runs too.
pub(crate) const IN_PROGRESS_SQL: &str = "WITH now AS MATERIALIZED (SELECT pg_current_snapshot() AS s), \
     own AS MATERIALIZED (SELECT pg_current_xact_id()::text::bigint AS xid) \
     SELECT x::text, pg_xact_commit_timestamp(x::xid) IS NOT NULL FROM ( \
     SELECT pg_snapshot_xip(s) FROM now UNION ALL \
     SELECT g::text::xid8 FROM now, own, generate_series(pg_snapshot_xmax(s)::text::bigint, own.xid - 1) AS g) AS t(x)";

/// What is in progress on the server of an ordinary session.
pub async fn in_progress(client: &Client) -> Result<Vec<InProgress>> {
    let rows = client.query_typed(IN_PROGRESS_SQL, &[]).await;
    read(&rows.map_err(Error::doing("look for late transactions"))?)
}

/// As [`in_progress`], by the prepared statement.
pub(crate) async fn ask(client: Arc<Client>, statement: Statement) -> Result<Vec<InProgress>> {
    let rows = client.query(&statement, &[]).await;
    read(&rows.map_err(Error::doing("look for late transactions"))?)
}

/// Waits until `late` are visible to the statements that follow. Answers whether they are: not, when it takes too long.
pub async fn await_visible(client: &Client, late: &[Xid]) -> Result<bool> {
    let until = Instant::now() + PATIENCE;
    while !late.is_empty() && in_progress(client).await?.iter().any(|t| late.contains(&t.xid)) {
        if Instant::now() >= until {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(true)
}

fn read(rows: &[Row]) -> Result<Vec<InProgress>> {
    let doing = Error::doing("look for late transactions");
    let one = |row: &Row| {
        let text: String = row.try_get(0).map_err(doing)?;
        let full: u64 = text.parse().expect("an xid8 is a number");
        Ok(InProgress {
            // Streams and tuples have the lower half.
            xid: Xid(u32::try_from(full & 0xFFFF_FFFF).expect("the mask leaves 32 bits")),
            committed: row.try_get(1).map_err(doing)?,
        })
    };
    rows.iter().map(one).collect()
}

impl Transaction<'_> {
    /// What was in progress before rows were locked for the first time. Asked again: nothing, for it was waited for.
    pub fn take_in_progress(&mut self) -> Vec<InProgress> {
        self.in_progress.replace(Vec::new()).unwrap_or_default()
    }

    /// As [`await_visible`], in this transaction.
    pub async fn await_visible(&mut self, late: &[Xid]) -> Result<bool> {
        let client = self.enter().await?;
        let visible = await_visible(&client, late).await?;
        self.leave();
        Ok(visible)
    }
}
