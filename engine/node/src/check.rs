//! `synapsed --check`.

use synapse_engine_identity::Incarnation;
use synapse_engine_setup::{Finding, Share, Wanted};
use synapse_wal_client::{Connection, Kind, Session};

use crate::config::Config;
use crate::error::Error;
use crate::sql;
use crate::state::State;

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// Requirements that are not met, and limits worth knowing.
    pub findings: Vec<Finding>,
    /// Why no replication connection can be made, if none can.
    pub replication: Option<String>,
}

/// Connects as the daemon would, and lists what the server lacks. Changes nothing.
///
/// # Errors
/// When the server cannot be reached at all.
pub async fn check(config: &Config) -> Result<Checked, Error> {
    let mut client = sql::open(&config.postgres.dsn, "check").await?;
    let state = State::load(&config.node.data_dir).ok().flatten();
    let (incarnation, ordinal) = state.map_or((Incarnation(0), 0), |s| (s.incarnation, s.ordinal));
    let findings = synapse_engine_setup::check(&mut client, &wanted(config, incarnation, ordinal)?).await?;
    let replication = Connection::connect(&config.postgres.dsn, Kind::Logical, &Session::default()).await;
    let replication = replication.err().map(|error| error.to_string());
    Ok(Checked { findings, replication })
}

/// What this node wants of its database.
pub(crate) fn wanted(config: &Config, incarnation: Incarnation, ordinal: u16) -> Result<Wanted, Error> {
    let refused = |error: &dyn std::fmt::Display| Error::Refused(error.to_string());
    let exclude = config
        .replication
        .exclude
        .iter()
        .map(|p| p.parse())
        .collect::<Result<Vec<_>, _>>();
    let peers = u32::try_from(config.cluster.join.len()).unwrap_or(u32::MAX);
    Ok(Wanted {
        node: config.node.name,
        cluster: config.cluster.name.to_string(),
        incarnation,
        share: Share::new(ordinal, config.replication.max_nodes).map_err(|e| refused(&e))?,
        slot: slot_name(config)?,
        origins: peers,
        wal_senders: 1,
        exclude: exclude.map_err(|e| refused(&e))?,
    })
}

/// The slot that capture reads from.
pub(crate) fn slot_name(config: &Config) -> Result<synapse_wal_types::SlotName, Error> {
    let name = format!(
        "synapse_{}_{}",
        config.cluster.name.to_string().replace('-', "_"),
        config.node.name
    );
    name.parse()
        .map_err(|error: synapse_wal_types::InvalidSlotName| Error::Refused(error.to_string()))
}
