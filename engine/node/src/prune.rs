//! What every node has applied is forgotten: registers, and journals of every origin.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::shared::{Shared, lock};

/// How often: journals go in segments of many megabytes, so that nothing is gained by more.
const PERIOD: Duration = Duration::from_secs(1);

/// Prunes until the daemon stops.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
        let Some(kernel) = shared.kernel() else { continue };
        let _pruning = shared.pruning.lock().await;
        let mut prunable = Vec::new();
        {
            let mut kernel = lock(&kernel);
            let origins = shared.journal.origins();
            kernel.prune(&origins);
            prunable.extend(origins.into_iter().map(|origin| (origin, kernel.prunable(origin))));
        }
        // The syncer makes it durable; what is gone then goes in a later round.
        shared.dirty.send_modify(|n| *n += 1);
        for (origin, lsn) in prunable {
            let log = shared.journal.log(origin)?;
            let lsn = lsn.min(log.durable());
            let pruned = tokio::task::spawn_blocking(move || log.prune_below(lsn));
            let bytes = pruned.await.expect("pruning a log does not panic")?;
            if bytes > 0 {
                tracing::debug!(%origin, bytes, "pruned the journal");
                shared.stir();
            }
        }
    }
}
