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
    /// What may be lost with the schema.
    pub discard: Discard,
}

/// Rows that nobody else has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Discard {
    /// Those of `synapse.skipped`.
    pub skipped: bool,
    /// Those of `synapse.displaced`.
    pub displaced: bool,
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
/// [`Error::SkippedRows`] and [`Error::DisplacedRows`] unless they may be lost, [`Error::SlotActive`] and [`Error::OriginActive`] while the daemon runs,
/// [`Error::Busy`] when locks do not go away, or PostgreSQL's own.
pub async fn detach(client: &mut Client, request: &Detach) -> Result<Detached> {
    let mut detached = Detached::default();
    let ours = is_ours(client).await?;
    if ours {
        refuse_losses(client, request.discard).await?;
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

async fn refuse_losses(client: &Client, discard: Discard) -> Result<()> {
    let skipped = count(client, "synapse.skipped").await?;
    if skipped > 0 && !discard.skipped {
        return Err(Error::SkippedRows { rows: skipped });
    }
    let displaced = count(client, "synapse.displaced").await?;
    if displaced > 0 && !discard.displaced {
        return Err(Error::DisplacedRows { rows: displaced });
    }
    Ok(())
}

/// The rows of a table; none where an earlier version had no such table.
async fn count(client: &Client, table: &str) -> Result<i64> {
    let doing = || Error::doing("look for rows that would be lost");
    let there = "SELECT to_regclass($1::text) IS NOT NULL";
    let there: bool = client.query_one(there, &[&table]).await.map_err(doing())?.get(0);
    if !there {
        return Ok(0);
    }
    let count = format!("SELECT count(*) FROM {table}");
    Ok(client.query_one(&count, &[]).await.map_err(doing())?.get(0))
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
