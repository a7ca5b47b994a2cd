//! `synapsectl node detach`.

use synapse_engine_setup::Detach;
pub use synapse_engine_setup::{Detached, Discard};

use crate::check::slot_name;
use crate::config::Config;
use crate::error::Error;
use crate::sql;

/// Takes everything out of the database that the daemon put there. The daemon must not run. Rows that
/// nobody else has are lost only as `discard` says.
///
/// # Errors
/// When the server cannot be reached, the slot or an origin is in use, or rows would be lost that nobody else has.
pub async fn detach(config: &Config, discard: Discard) -> Result<Detached, Error> {
    let request = Detach {
        slot: Some(slot_name(config)?),
        discard,
    };
    let mut client = sql::open(&config.postgres.dsn, "detach").await?;
    Ok(synapse_engine_setup::detach(&mut client, &request).await?)
}
