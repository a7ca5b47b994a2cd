//! The slot as the server shows it, looked at in the background while somebody asks.

use std::sync::Arc;
use std::time::Duration;

use synapse_engine_setup::{SlotState, slot_state};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::error::Error;
use crate::shared::Shared;
use crate::sql;

/// The server is asked no more often than that.
const PAUSE: Duration = Duration::from_secs(2);
/// A look that is older is not shown while a new one may come.
const OLD: Duration = Duration::from_secs(3);
/// How long a new look is waited for: the status is for when things are slow, too.
const PATIENCE: Duration = Duration::from_millis(500);

/// The last look at the slot.
#[derive(Debug, Default)]
pub(crate) struct SlotWatch {
    seen: watch::Sender<Seen>,
    asked: Notify,
}

/// One look: when, and what was seen; nothing while the server cannot be asked.
#[derive(Debug, Default)]
struct Seen {
    at: Option<Instant>,
    slot: Option<SlotState>,
}

impl Seen {
    fn is_fresh(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() < OLD)
    }
}

impl SlotWatch {
    /// Asks for a look, and waits for it briefly when the last one is old.
    pub(crate) async fn refresh(&self) {
        let mut seen = self.seen.subscribe();
        self.asked.notify_one();
        // In vain: what was seen last is shown.
        let _ = tokio::time::timeout(PATIENCE, seen.wait_for(Seen::is_fresh)).await;
    }

    /// What was seen last; `None` while the server cannot be asked.
    pub(crate) fn seen(&self) -> Option<SlotState> {
        self.seen.borrow().slot.clone()
    }

    /// Looks when asked, until the daemon stops.
    pub(crate) async fn run(&self, shared: &Arc<Shared>) {
        let mut client = None;
        loop {
            let slot = look(shared, &mut client).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "cannot look at the slot");
                None
            });
            self.seen.send_replace(Seen {
                at: Some(Instant::now()),
                slot,
            });
            tokio::select! {
                () = shared.shutdown.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            tokio::select! {
                () = shared.shutdown.cancelled() => return,
                () = self.asked.notified() => {}
            }
        }
    }
}

async fn look(shared: &Shared, client: &mut Option<Client>) -> Result<Option<SlotState>, Error> {
    let connected = match client.take() {
        Some(connected) => connected,
        None => sql::connect(shared, "status").await?,
    };
    let seen = slot_state(&connected, &shared.slot).await?;
    *client = Some(connected);
    Ok(seen)
}
