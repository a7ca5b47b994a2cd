use synapse_engine_identity::Origin;
use synapse_wal_types::Oid;
use tokio_postgres::{Client, error::SqlState};

use crate::session::begin;
use crate::{Error, Result};

/// The replication origin's name for a peer's origin: `synapse_<node>_<incarnation>`.
#[must_use]
pub fn origin_name(origin: &Origin) -> String {
    format!("synapse_{}_{}", origin.node, origin.incarnation.0)
}

/// Makes sure that the replication origin exists and is noted as ours; answers its id on this server, which is what row
/// headers and commit timestamps carry.
///
/// # Errors
/// PostgreSQL's own; the database must be set up.
pub async fn ensure_origin(client: &mut Client, origin: &Origin) -> Result<Oid> {
    let doing = "create the replication origin";
    let name = origin_name(origin);
    let transaction = begin(client).await?;
    let row = transaction
        .query_one(
            "WITH noted AS (INSERT INTO synapse.origins (name) VALUES ($1) ON CONFLICT DO NOTHING) \
             SELECT coalesce(pg_replication_origin_oid($1), pg_replication_origin_create($1))",
            &[&name],
        )
        .await
        .map_err(Error::doing(doing))?;
    transaction.commit().await.map_err(Error::doing(doing))?;
    Ok(Oid(row.get(0)))
}

/// The replication origins that this database noted as ours and that exist, by name, with their ids.
///
/// # Errors
/// PostgreSQL's own; the database must be set up.
pub async fn origins(client: &Client) -> Result<Vec<(String, Oid)>> {
    let rows = client
        .query(
            "SELECT o.roname, o.roident FROM synapse.origins n \
               JOIN pg_catalog.pg_replication_origin o ON o.roname = n.name ORDER BY 1",
            &[],
        )
        .await
        .map_err(Error::doing("list replication origins"))?;
    Ok(rows.iter().map(|row| (row.get(0), Oid(row.get(1)))).collect())
}

/// Drops a replication origin by its name, with the note of it; answers whether it was there.
///
/// # Errors
/// [`Error::OriginActive`] while a session uses it.
pub async fn drop_origin(client: &mut Client, name: &str) -> Result<bool> {
    let transaction = begin(client).await?;
    let dropped = transaction
        .execute(
            "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname = $1",
            &[&name],
        )
        .await
        .map_err(|error| match error.code() {
            Some(code) if *code == SqlState::OBJECT_IN_USE => Error::OriginActive {
                origin: name.to_owned(),
            },
            _ => Error::doing("drop the replication origin")(error),
        })?;
    transaction
        .execute("DELETE FROM synapse.origins WHERE name = $1", &[&name])
        .await
        .map_err(Error::doing("forget the replication origin"))?;
    transaction
        .commit()
        .await
        .map_err(Error::doing("drop the replication origin"))?;
    Ok(dropped > 0)
}
