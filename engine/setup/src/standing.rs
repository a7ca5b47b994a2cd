use std::str::FromStr;

use synapse_engine_identity::{Incarnation, NodeId, Origin};
use synapse_wal_types::{SlotName, SystemId, TimelineId};
use tokio_postgres::Client;

use crate::slot::{SlotState, WalStatus, slot_state};
use crate::{Error, Result};

/// What the commands below need to be told: which life of which server our journal belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The server's system identifier.
    pub system: SystemId,
    /// Its timeline.
    pub timeline: TimelineId,
    /// The slot, once it has been created.
    pub slot: Option<SlotName>,
}

/// What was found: nothing that speaks against going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The server's system identifier.
    pub system: SystemId,
    /// Its timeline.
    pub timeline: TimelineId,
    /// The slot, when one was recorded.
    pub slot: Option<SlotState>,
}

/// Why the journal of a node cannot be continued on this server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another server answers.
    #[error(
        "refused to go on: the server's system identifier is {found}, not {recorded}: it was initialised anew{}",
        RESYNC
    )]
    SystemChanged {
        /// What was recorded.
        recorded: SystemId,
        /// What answers.
        found: SystemId,
    },
    /// The server was promoted or restored.
    #[error(
        "refused to go on: the server is on timeline {found}, not {recorded}: it was promoted or restored{}",
        RESYNC
    )]
    TimelineChanged {
        /// What was recorded.
        recorded: TimelineId,
        /// What answers.
        found: TimelineId,
    },
    /// The slot is gone.
    #[error(
        "refused to go on: replication slot {slot} does not exist any more, so changes may be missing{}",
        RESYNC
    )]
    SlotMissing {
        /// Its name.
        slot: SlotName,
    },
    /// The slot is there, its WAL is not.
    #[error(
        "refused to go on: replication slot {slot} has lost WAL that was not read yet{}",
        RESYNC
    )]
    SlotLost {
        /// Its name.
        slot: SlotName,
    },
}

/// The way out of every refusal.
const RESYNC: &str = "\nhint: synapsectl node join --from <peer> --replace-local --confirm";

/// Compares the server with what was recorded.
///
/// # Errors
/// [`Error::Refused`] when the journal must not be continued, or PostgreSQL's own.
pub async fn identity_check(client: &Client, recorded: &Recorded) -> Result<Standing> {
    let (system, timeline) = read(client).await?;
    if system != recorded.system {
        return Err(Refusal::SystemChanged {
            recorded: recorded.system,
            found: system,
        }
        .into());
    }
    if timeline != recorded.timeline {
        return Err(Refusal::TimelineChanged {
            recorded: recorded.timeline,
            found: timeline,
        }
        .into());
    }
    let Some(name) = &recorded.slot else {
        return Ok(Standing {
            system,
            timeline,
            slot: None,
        });
    };
    match slot_state(client, name).await? {
        None => Err(Refusal::SlotMissing { slot: name.clone() }.into()),
        Some(SlotState {
            wal_status: Some(WalStatus::Lost),
            ..
        }) => Err(Refusal::SlotLost { slot: name.clone() }.into()),
        Some(slot) => Ok(Standing {
            system,
            timeline,
            slot: Some(slot),
        }),
    }
}

/// Which node this database was set up for, with the server of that time (and no slot: the caller knows whether it made
/// one); none when it was never set up.
///
/// # Errors
/// PostgreSQL's own.
pub async fn recorded_node(client: &Client) -> Result<Option<(Origin, Recorded)>> {
    let doing = "read synapse.node";
    let exists = client
        .query_one("SELECT pg_catalog.to_regclass('synapse.node') IS NOT NULL", &[])
        .await
        .map_err(Error::doing(doing))?;
    if !exists.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client
        .query_opt("SELECT node, incarnation, system_id, timeline FROM synapse.node", &[])
        .await
        .map_err(Error::doing(doing))?;
    let Some(row) = row else {
        return Ok(None);
    };
    let wrong = |problem: String| Error::Answer {
        what: "synapse.node",
        problem,
    };
    let node = NodeId::from_str(row.get(0)).map_err(|error| wrong(error.to_string()))?;
    let incarnation = u32::try_from(row.get::<_, i64>(1)).map_err(|error| wrong(error.to_string()))?;
    let recorded = Recorded {
        system: SystemId(row.get::<_, i64>(2).cast_unsigned()),
        timeline: timeline(row.get(3)),
        slot: None,
    };
    Ok(Some((
        Origin {
            node,
            incarnation: Incarnation(incarnation),
        },
        recorded,
    )))
}

async fn read(client: &Client) -> Result<(SystemId, TimelineId)> {
    let row = client
        .query_one(
            "SELECT system_identifier, \
                    CASE WHEN NOT pg_is_in_recovery() \
                         THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int \
                         ELSE (SELECT timeline_id FROM pg_control_checkpoint()) END \
               FROM pg_control_system()",
            &[],
        )
        .await
        .map_err(Error::doing("identify the server"))?;
    Ok((SystemId(row.get::<_, i64>(0).cast_unsigned()), timeline(row.get(1))))
}

/// SQL has signed numbers only.
fn timeline(number: i32) -> TimelineId {
    TimelineId(number.cast_unsigned())
}
