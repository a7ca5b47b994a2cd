use crate::error::Error;
use crate::frames::Answer;
use crate::shared::{Shared, lock};
use crate::sql;

/// A committed message that is none of the applier's: capture goes past it and makes nothing of it. The server's insert
/// position alone would not do: on an idle server nothing flushes up to it for seconds, and capture reads flushed WAL.
const PASS: &str = "SELECT (pg_logical_emit_message(true, 'synapse.wait', '') - '0/0'::pg_lsn)::text";

/// The last transaction that had committed on this server when it was asked.
pub(super) async fn position(shared: &Shared) -> Result<Answer, Error> {
    let client = sql::connect(shared, "wait").await?;
    let text: String = client.query_one(PASS, &[]).await?.try_get(0)?;
    let refused = || Error::Refused(format!("the server gave {text:?} as a position"));
    let at = text.parse().map(synapse_wal_types::Lsn).map_err(|_| refused())?;
    let mut captured = shared.captured.subscribe();
    loop {
        // Commits are read in their order: what committed before the message is read before it.
        let read = tokio::select! {
            () = shared.shutdown.cancelled() => return Err(Error::Stopping),
            read = captured.wait_for(|captured| *captured >= at) => read.is_ok(),
        };
        if !read {
            return Err(Error::Stopping);
        }
        if let Some(kernel) = shared.kernel() {
            let lsn = lock(&kernel).stamper().state().last_txn;
            return Ok(Answer::Position { origin: shared.me, lsn });
        }
        // Between two generations: the next one says again how far it is.
        if captured.changed().await.is_err() {
            return Err(Error::Stopping);
        }
    }
}
