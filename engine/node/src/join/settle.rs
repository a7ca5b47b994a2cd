//! The end of joining: the journals have caught up with the copies.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::shared::{Phase, Shared, lock};
use crate::sql;
use crate::state::Join;

/// What failed is tried again then.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Ends joining once everything that the copies hold has passed. Returns then, or when `stop` is cancelled.
pub(crate) async fn settle(shared: Arc<Shared>, stop: CancellationToken) {
    let mut stirred = shared.stirred.subscribe();
    loop {
        stirred.borrow_and_update();
        let Some(copied) = shared.joining.copied() else { return };
        let arrived = shared
            .kernel()
            .is_some_and(|kernel| lock(&kernel).frontier().covers_all(&copied.target));
        if arrived && *shared.phase.borrow() == Phase::Copying {
            match joined(&shared).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "cannot end joining yet; trying again"),
            }
        } else {
            shared
                .joining
                .change(|progress| progress.waits = Some(behind(&shared, &copied.target)));
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = stirred.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

fn behind(shared: &Shared, target: &synapse_engine_identity::Context) -> String {
    let frontier = shared
        .kernel()
        .map(|kernel| lock(&kernel).frontier().clone())
        .unwrap_or_default();
    let missing = target.iter().find(|(origin, lsn)| frontier.get(*origin) < *lsn);
    missing.map_or_else(
        || "the journals have caught up with the copy".to_owned(),
        |(origin, lsn)| {
            format!(
                "follows the journal of {origin}, now at {}, up to {lsn}",
                frontier.get(origin)
            )
        },
    )
}

async fn joined(shared: &Arc<Shared>) -> Result<(), Error> {
    // From here on the application may write: what it writes has seen all that the copies hold.
    let mut client = sql::connect(shared, "join").await?;
    synapse_engine_setup::lower_fence(&mut client).await?;
    shared.change_state(|state| state.join = Join::Joined { whole_for: None })?;
    shared.joining.change(|progress| *progress = super::Progress::default());
    shared.phase.send_replace(Phase::Streaming);
    shared.stir();
    tracing::info!("joined: the journals have caught up with the copy");
    Ok(())
}
