use synapse_wal_types::SlotName;
use tokio_postgres::Client;

use crate::session::run;
use crate::sweep::{Change, Pass, sweep};
use crate::{Error, Result, drop_origin, drop_slot, origins};

/// What to take away.
#[derive(Debug, Clone)]
pub struct Detach {
    /// The slot, when there may be one.
    pub slot: Option<SlotName>,
    /// Whether rows of `synapse.skipped` may be lost.
    pub discard_skipped: bool,
}

/// What [`detach`] took away. All empty when nothing was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detached {
    /// Whether there was a slot.
    pub slot_dropped: bool,
    /// Tables and sequences that are again what they were.
    pub released: Vec<Change>,
    /// Names of the replication origins that were dropped.
    pub origins: Vec<String>,
}

/// Undoes everything that [`crate::install`] and [`crate::ensure_origin`] did. May be repeated, also after a crash half-way.
///
/// Nothing is changed when it is refused. A sequence goes on from where it is, or beyond the greatest value in the column
/// that it fills when that came from another node.
///
/// # Errors
/// [`Error::SkippedRows`] unless they may be lost, [`Error::SlotActive`] and [`Error::OriginActive`] while the daemon runs,
/// [`Error::Busy`] when locks do not go away, or PostgreSQL's own.
pub async fn detach(client: &mut Client, request: &Detach) -> Result<Detached> {
    let mut detached = Detached::default();
    let ours = is_ours(client).await?;
    if ours && !request.discard_skipped {
        let rows: i64 = client
            .query_one("SELECT count(*) FROM synapse.skipped", &[])
            .await
            .map_err(Error::doing("read synapse.skipped"))?
            .get(0);
        if rows > 0 {
            return Err(Error::SkippedRows { rows });
        }
    }
    if let Some(slot) = &request.slot {
        detached.slot_dropped = drop_slot(client, slot).await?;
    }
    if !ours {
        return Ok(detached);
    }
    let first = "DROP PUBLICATION IF EXISTS synapse; DROP EVENT TRIGGER IF EXISTS synapse;";
    run(client, "drop publication and event trigger", &[first]).await?;
    for (name, _) in origins(client).await? {
        if drop_origin(client, &name).await? {
            detached.origins.push(name);
        }
    }
    detached.released = sweep(client, Pass::Release).await?;
    run(
        client,
        "drop schema synapse",
        &["DROP SCHEMA IF EXISTS synapse CASCADE"],
    )
    .await?;
    tracing::info!(
        released = detached.released.len(),
        origins = detached.origins.len(),
        "database is detached"
    );
    Ok(detached)
}

/// Whether there is a schema `synapse` and we made it. It is created whole, and dropped whole, in one transaction.
async fn is_ours(client: &Client) -> Result<bool> {
    let row = client
        .query_one(
            "SELECT to_regclass('synapse.identities') IS NOT NULL AND to_regclass('synapse.node') IS NOT NULL",
            &[],
        )
        .await
        .map_err(Error::doing("look at the database"))?;
    Ok(row.get(0))
}
