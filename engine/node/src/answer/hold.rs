use synapse_engine_identity::NodeId;

use crate::error::Error;
use crate::shared::Shared;

/// From now on `to` is shipped nothing, until [`resume`]; a restart does not change that.
pub(crate) fn hold(shared: &Shared, to: NodeId) -> Result<(), Error> {
    shared.change_state(|state| {
        state.held.insert(to);
    })?;
    tracing::info!(%to, "holding what is shipped to a peer");
    shared.stir();
    Ok(())
}

/// Ships to `to` again.
pub(crate) fn resume(shared: &Shared, to: NodeId) -> Result<(), Error> {
    shared.change_state(|state| {
        state.held.remove(&to);
    })?;
    tracing::info!(%to, "shipping to a peer again");
    shared.stir();
    Ok(())
}
