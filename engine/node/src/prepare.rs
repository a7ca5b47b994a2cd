//! The server made ready: looked at, set up, with a slot.

use std::sync::Arc;

use synapse_engine_identity::Context;
use synapse_engine_setup::Recorded;
use synapse_wal_client::{Connection, Kind, LogicalSlot, Session, SlotLife, SlotSnapshot};

use crate::check::wanted;
use crate::error::Error;
use crate::join::clear;
use crate::shared::Shared;
use crate::state::Join;
use crate::{frames, sql};

/// Looks whether the server is the one it was, installs what capture needs, and makes the slot.
pub(crate) async fn prepare(shared: &Arc<Shared>) -> Result<u16, Error> {
    let mut client = sql::connect(shared, "setup").await?;
    if let Join::Replacing { from } = shared.state().join {
        clear(shared, &mut client, from).await?;
    }
    let recorded = synapse_engine_setup::recorded_node(&client).await?;
    let state = shared.state();
    match recorded {
        Some((origin, _)) if origin != shared.me && state.slot_created => {
            return Err(Error::Refused(format!(
                "the database belongs to {origin}, the data directory to {}; hint: one of them was restored or replaced: resync this node",
                shared.me
            )));
        }
        Some((origin, _)) if origin.node == shared.me.node && (origin != shared.me || !state.set_up) => {
            return Err(Error::Refused(format!(
                "the database was set up as {origin}, and the data directory is new; hint: bring the data directory back, or resync this node: synapsectl node join --from PEER --replace-local --confirm"
            )));
        }
        Some((_, recorded)) => {
            let slot = state.slot_created.then(|| shared.slot.clone());
            synapse_engine_setup::identity_check(&client, &Recorded { slot, ..recorded }).await?;
        }
        None if state.slot_created => {
            return Err(Error::Refused("the database was detached or replaced, and the data directory is of before; hint: give this node a new data directory".to_owned()));
        }
        // Said before it is done: two lives that begin within a second bear the same number.
        None if !state.set_up => shared.change_state(|state| state.set_up = true)?,
        None => {}
    }
    let installed = synapse_engine_setup::install(
        &mut client,
        &wanted(&shared.config, shared.me.incarnation, state.ordinal)?,
    )
    .await?;
    for change in &installed.changes {
        tracing::info!(?change, "set-up changed");
    }
    let row = client
        .query_one(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int4",
            &[],
        )
        .await?;
    let (version, number): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
    let version = version.split_whitespace().next().unwrap_or_default().to_owned();
    *shared.pg_version.lock().expect(crate::shared::UNPOISONED) = version;
    // A node that is filled from another one has no stream before it is full.
    if !state.slot_created && !matches!(state.join, Join::Copying { .. }) {
        make_slot(shared, &client, Context::new(), |_| {}).await?;
    }
    Ok(u16::try_from(number / 10_000).unwrap_or(0))
}

/// Makes the slot, and the progress from which capture begins: either both stand, or both are made again. `applied` is
/// what this node holds of others when its stream begins, `then` what follows for its joining.
pub(crate) async fn make_slot(
    shared: &Arc<Shared>,
    client: &tokio_postgres::Client,
    applied: Context,
    then: impl FnOnce(&mut Join),
) -> Result<(), Error> {
    synapse_engine_setup::drop_slot(client, &shared.slot).await?;
    shared.journal.remove(shared.me)?;
    let mut connection = Connection::connect(&shared.config.postgres.dsn, Kind::Logical, &Session::default()).await?;
    let slot = LogicalSlot {
        life: SlotLife::Permanent,
        snapshot: SlotSnapshot::None,
    };
    let created = connection.create_logical_slot(&shared.slot, slot).await?;
    connection.close().await?;
    let log = shared.own_log()?;
    let start = created.consistent_point;
    log.begin_after(start)?;
    let progress = synapse_engine_replication::Progress {
        captured: start,
        applied,
        ..Default::default()
    };
    log.append_progress(start, &frames::encode(&progress))?;
    log.sync()?;
    shared.shippable.send_replace(start);
    shared.change_state(|state| {
        (state.slot_created, state.start) = (true, start);
        then(&mut state.join);
    })
}
