//! `synapsectl node detach`.

use synapse_engine_setup::Detach;
pub use synapse_engine_setup::Detached;

use crate::check::slot_name;
use crate::config::Config;
use crate::error::Error;
use crate::sql;

/// Takes everything out of the database that the daemon put there. The daemon must not run. With `discard_skipped` the
/// rows of `synapse.skipped` may be lost.
///
/// # Errors
/// When the server cannot be reached, the slot or an origin is in use, or skipped transactions would be lost.
pub async fn detach(config: &Config, discard_skipped: bool) -> Result<Detached, Error> {
    let request = Detach {
        slot: Some(slot_name(config)?),
        discard_skipped,
    };
    let mut client = sql::open(&config.postgres.dsn, "detach").await?;
    Ok(synapse_engine_setup::detach(&mut client, &request).await?)
}
