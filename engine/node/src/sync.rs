//! journal -> durable: one fsync for all that came meanwhile, then the slot may be confirmed.

use std::sync::Arc;
use std::time::Duration;

use synapse_engine_journal::Log;
use synapse_engine_replication::Progress;
use synapse_wal_types::Lsn;

use crate::error::Error;
use crate::frames;
use crate::shared::{Shared, UNPOISONED, lock};

/// Between two rounds, unless somebody waits. Each takes the disk from the server's own commits; what is shipped and
/// applied meanwhile waits for none.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes logs durable until the daemon stops.
///
/// # Errors
/// When a log fails: what is durable is not known any more, and the daemon has to open its journal anew.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let mut dirty = shared.dirty.subscribe();
    loop {
        tokio::select! {
            changed = dirty.changed() => if changed.is_err() { return Ok(()) },
            () = shared.shutdown.cancelled() => {
                round(&shared).await?;
                return Ok(());
            }
        }
        round(&shared).await?;
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shared.hurry.notified() => {}
            () = shared.shutdown.cancelled() => {}
        }
    }
}

async fn round(shared: &Arc<Shared>) -> Result<(), Error> {
    let mut progress = None;
    // Our own log comes last: its progress counts what was applied of the others.
    let mut origins = shared.journal.origins();
    origins.sort_by_key(|origin| *origin == shared.me);
    for origin in origins {
        let log = shared.journal.log(origin)?;
        if log.end() <= log.durable() && origin != shared.me {
            continue;
        }
        let task = Arc::clone(shared);
        let task = tokio::task::spawn_blocking(move || make_durable(&task, &log));
        let (end, own) = task.await.expect("syncing a log does not panic")?;
        progress = own.or(progress);
        shared.durable.send_if_modified(|durable| durable.advance(origin, end));
        if origin == shared.me {
            shared
                .shippable
                .send_if_modified(|shippable| std::mem::replace(shippable, end.max(*shippable)) < end);
        }
    }
    if let Some(progress) = progress {
        let captured = progress.captured;
        if let Some(kernel) = shared.kernel() {
            lock(&kernel).progress_durable(&progress);
        }
        shared.confirmed.send_if_modified(|confirmed| {
            let moves = captured > *confirmed;
            *confirmed = captured.max(*confirmed);
            moves
        });
    }
    Ok(())
}

/// Answers with the durable end, and with the progress that went with it.
fn make_durable(shared: &Shared, log: &Log) -> Result<(Lsn, Option<Progress>), Error> {
    let mut written = None;
    if log.origin() == shared.me {
        let now = shared.kernel().map(|kernel| lock(&kernel).stamper().state().clone());
        let mut own = shared.progress.lock().expect(UNPOISONED);
        if !own.within_parts
            && let Some(progress) = own.due(now, shared.me)
        {
            // What it counts as applied must not be lost in a crash that it outlives.
            for (origin, applied) in progress.applied.iter() {
                let of_peer = shared.journal.log(origin)?;
                if of_peer.durable() < applied.min(of_peer.end()) {
                    of_peer.sync()?;
                }
            }
            log.append_progress(progress.captured, &frames::encode(&progress))?;
            own.written = Some(progress.clone());
            written = Some(progress);
        }
    }
    Ok((log.sync()?, written))
}
