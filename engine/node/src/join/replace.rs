//! A node's rows and its past go, and it begins anew.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use synapse_engine_identity::{Incarnation, NodeId};
use synapse_wal_types::Lsn;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::empty::{exclusions, name};
use crate::check::wanted;
use crate::error::Error;
use crate::generation::refresh;
use crate::shared::Shared;
use crate::state::{Copies, Join};

/// Remembers that this node is to begin anew from `from`, in a new life. The daemon starts again to do it.
pub(crate) fn replace(shared: &Shared, from: NodeId) -> Result<(), Error> {
    shared.change_state(|state| {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let next = state.incarnation.0.saturating_add(1);
        state.incarnation = Incarnation(u32::try_from(now).unwrap_or(u32::MAX).max(next));
        (state.set_up, state.slot_created) = (true, false);
        state.start = Lsn::ZERO;
        state.join = Join::Replacing { from };
    })?;
    tracing::warn!(%from, "everything that stands in this node's replicated tables goes, and comes anew from a peer");
    Ok(())
}

/// Takes away slot, origins, journal and rows. Cut off anywhere, it is done again.
pub(crate) async fn clear(shared: &Arc<Shared>, client: &mut Client, from: NodeId) -> Result<(), Error> {
    synapse_engine_setup::drop_slot(client, &shared.slot).await?;
    let state = shared.state();
    synapse_engine_setup::install(client, &wanted(&shared.config, shared.me.incarnation, state.ordinal)?).await?;
    let mut origins: Vec<String> = synapse_engine_setup::origins(client)
        .await?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    origins.extend(shared.journal.origins().iter().map(synapse_engine_setup::origin_name));
    for origin in origins {
        synapse_engine_setup::drop_origin(client, &origin).await?;
    }
    for origin in shared.journal.origins() {
        shared.journal.remove(origin)?;
    }
    synapse_engine_setup::raise_fence(client, &exclusions(shared)).await?;
    refresh(shared, client).await?;
    empty(shared, client).await?;
    tracing::warn!("the rows of all replicated tables are gone");
    shared.change_state(|state| {
        state.join = Join::Copying {
            from,
            begins: None,
            copies: Copies::default(),
        }
    })
}

async fn empty(shared: &Shared, client: &Client) -> Result<(), Error> {
    // What was displaced lost against rows that go.
    client
        .batch_execute("DELETE FROM synapse.displaced; DELETE FROM synapse.rivals")
        .await?;
    let tables: Vec<String> = shared
        .directory()
        .catalog
        .tables
        .iter()
        .map(|t| name(&t.schema, &t.name))
        .collect();
    if tables.is_empty() {
        return Ok(());
    }
    // Not the application's triggers, and no foreign key, has a say in this.
    client
        .batch_execute("SET session_replication_role = replica; SET lock_timeout = '10s'")
        .await?;
    match client
        .batch_execute(&format!("TRUNCATE ONLY {}", tables.join(", ONLY ")))
        .await
    {
        Ok(()) => {}
        // A table that takes no part refers to one that does.
        Err(error) if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {
            for table in tables {
                client.batch_execute(&format!("DELETE FROM ONLY {table}")).await?;
            }
        }
        Err(error) => return Err(error.into()),
    }
    client
        .batch_execute("RESET session_replication_role; RESET lock_timeout")
        .await?;
    Ok(())
}
