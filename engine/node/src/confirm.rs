//! confirm: the server hears how far this node is, and only then forgets.

use std::sync::Arc;
use std::time::Duration;

use synapse_wal_client::{Feedback, Reply, StreamWriter};
use synapse_wal_types::Lsn;

use crate::clock;
use crate::error::Error;
use crate::shared::Shared;

/// The server hears from us at least so often; far below any `wal_sender_timeout`.
const STATUS: Duration = Duration::from_secs(5);

/// Reports positions until the stream ends. `floor` is what the slot had confirmed when it started.
pub(crate) async fn run(shared: Arc<Shared>, mut writer: StreamWriter, floor: Lsn) -> Result<(), Error> {
    let mut confirmed = shared.confirmed.subscribe();
    let mut captured = shared.captured.subscribe();
    loop {
        let flush = (*confirmed.borrow_and_update()).max(floor);
        let seen = (*captured.borrow_and_update()).max(flush);
        writer
            .status(
                Feedback {
                    write: seen,
                    flush,
                    apply: flush,
                },
                clock::now(),
                Reply::NotNeeded,
            )
            .await?;
        tokio::select! {
            () = writer.reply_wanted() => {}
            changed = confirmed.changed() => if changed.is_err() { return Ok(()) },
            () = tokio::time::sleep(STATUS) => {}
        }
    }
}
