use std::sync::Arc;

use synapse_engine_change::Part;
use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::frames::Answer;
use crate::mend;
use crate::shared::Shared;

/// Sends the blocks of `origin` after `after`, up to the one that reaches `until`: to a peer whose own are damaged. What
/// stands here and is not durable, or not to be shipped yet, is not told.
pub(super) async fn blocks(
    shared: &Arc<Shared>,
    origin: Origin,
    after: Lsn,
    until: Lsn,
    parts: &mpsc::Sender<Answer>,
) -> Result<(), Error> {
    if !shared.journal.origins().contains(&origin) {
        return Err(Error::TryAgain(format!("nothing of {origin} is journalled here")));
    }
    let log = shared.journal.log(origin)?;
    let end = if origin == shared.me {
        *shared.shippable.borrow()
    } else {
        log.durable()
    };
    let begin = log.begin();
    let mut reader = log.read_after(after.max(begin))?;
    if parts.send(Answer::Held { begin, end }).await.is_err() {
        return Ok(());
    }
    loop {
        let block = match reader.next_block() {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(()),
            Err(error) => {
                // The asker does not wait for a repair here: another peer may have what it wants.
                mend::note(shared, &error);
                return Err(error.into());
            }
        };
        let header = *block.header();
        if header.last > end || parts.send(Answer::Block(block.bytes().clone())).await.is_err() {
            return Ok(());
        }
        // A large transaction's parts all end where it does.
        if header.last >= until && !matches!(header.part, Part::Middle(_)) {
            return Ok(());
        }
    }
}
