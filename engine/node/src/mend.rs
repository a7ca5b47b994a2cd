//! Damaged blocks of journals: what they held is fetched from a peer that has it, and put back.
//!
//! Whoever reads a journal and meets damage calls [`next_block`] or [`mended`], which wait; what a log was found to miss
//! when it was opened is mended before anybody reads it. What cannot be mended now is tried again for ever, because a
//! peer that has it may come back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use synapse_engine_identity::{NodeId, Origin};
use synapse_engine_journal::{Damage, EncodedBlock, Error as JournalError, Held, Reader};
use synapse_wal_types::Lsn;
use tokio::sync::watch;

use crate::answer::{AskError, ask};
use crate::error::Error;
use crate::frames::{Answer, Request};
use crate::shared::Shared;

/// Before what could not be mended is tried again: a link may have come, or a peer may have caught up.
const AGAIN: Duration = Duration::from_millis(500);
/// Ends every text about damage that stands.
pub(crate) const RESYNC: &str = "synapsectl node join --from PEER --replace-local --confirm";

/// Where a journal is damaged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) origin: Origin,
    /// The segment.
    pub(crate) path: PathBuf,
    /// Of the damaged block, in bytes from the start of the file.
    pub(crate) offset: u64,
}

/// What is damaged and not mended yet; the text says why the last attempt failed, empty before the first.
pub(crate) type Places = BTreeMap<Place, String>;

/// What every log was found to miss when it was opened.
pub(crate) fn found_at_open(journal: &synapse_engine_journal::Journal) -> Result<watch::Sender<Places>, Error> {
    let mut places = Places::new();
    for origin in journal.origins() {
        for damaged in journal.log(origin)?.damaged() {
            let (path, offset) = (damaged.path.clone(), damaged.offset);
            tracing::error!(%origin, path = %path.display(), offset, what = damaged.what, "the journal is damaged");
            places.insert(Place { origin, path, offset }, String::new());
        }
    }
    Ok(watch::Sender::new(places))
}

/// Has the damage that `error` tells of mended, if it tells of any. Answers where it is.
pub(crate) fn note(shared: &Shared, error: &JournalError) -> Option<Place> {
    let JournalError::Damaged { path, offset, .. } = error else {
        return None;
    };
    let of_log = |origin: &Origin| {
        let log = shared.journal.log(*origin).ok();
        log.is_some_and(|log| path.parent() == Some(log.dir()))
    };
    let origin = shared.journal.origins().into_iter().find(of_log)?;
    let (path, offset) = (path.clone(), *offset);
    let place = Place { origin, path, offset };
    shared.damaged.send_if_modified(|places| {
        let new = !places.contains_key(&place);
        if new {
            tracing::error!(%error, %origin, "the journal is damaged");
            places.insert(place.clone(), String::new());
        }
        new
    });
    Some(place)
}

/// Waits until the damage that `error` tells of is mended.
///
/// # Errors
/// `error` itself when it tells of something else; [`Error::Stopping`].
pub(crate) async fn mended(shared: &Shared, error: JournalError) -> Result<(), Error> {
    let Some(place) = note(shared, &error) else {
        return Err(error.into());
    };
    let mut damaged = shared.damaged.subscribe();
    let gone = tokio::select! {
        () = shared.shutdown.cancelled() => return Err(Error::Stopping),
        gone = damaged.wait_for(|places| !places.contains_key(&place)) => gone.is_ok(),
    };
    if gone { Ok(()) } else { Err(Error::Stopping) }
}

/// The next block of `reader`; a damaged one once it is mended.
pub(crate) async fn next_block(shared: &Shared, reader: &mut Reader) -> Result<Option<EncodedBlock>, Error> {
    loop {
        match reader.next_block() {
            Ok(block) => return Ok(block),
            Err(error) => mended(shared, error).await?,
        }
    }
}

/// What is damaged and could not be mended so far, for people.
pub(crate) fn standing(shared: &Shared) -> Vec<String> {
    let places = shared.damaged.borrow();
    let tried = places.iter().filter(|(_, why)| !why.is_empty());
    tried
        .map(|(place, why)| {
            format!(
                "the journal of {} is damaged: {} at byte {}: {why}; it is tried again by itself; hint: bring back a peer that has what is missing, or copy this node anew: {RESYNC}",
                place.origin,
                place.path.display(),
                place.offset
            )
        })
        .collect()
}

/// Mends what is damaged until the daemon stops.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let mut damaged = shared.damaged.subscribe();
    loop {
        let places: Vec<Place> = damaged.borrow_and_update().keys().cloned().collect();
        for place in &places {
            let attempt = tokio::select! {
                () = shared.shutdown.cancelled() => return Ok(()),
                attempt = mend(&shared, place) => attempt,
            };
            shared.damaged.send_modify(|places| match attempt {
                Ok(()) => {
                    places.remove(place);
                }
                Err(why) => {
                    if places.get(place) != Some(&why) {
                        tracing::warn!(origin = %place.origin, path = %place.path.display(), offset = place.offset, %why, "cannot mend the journal yet; trying again");
                    }
                    places.insert(place.clone(), why);
                }
            });
        }
        let rest = async {
            if shared.damaged.borrow().is_empty() {
                // It fails only without a sender, and the sender is held here.
                let _ = damaged.wait_for(|places| !places.is_empty()).await;
            } else {
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(()),
            () = rest => {}
        }
    }
}

/// Mends a segment up to `place` and there; the error is for people.
async fn mend(shared: &Arc<Shared>, place: &Place) -> Result<(), String> {
    if !shared.journal.origins().contains(&place.origin) {
        return Ok(());
    }
    let log = shared.journal.log(place.origin).map_err(|error| error.to_string())?;
    loop {
        let (log, path) = (Arc::clone(&log), place.path.clone());
        let found = tokio::task::spawn_blocking(move || log.damage(&path)).await;
        let found = found.expect("looking at a segment does not panic");
        match found.map_err(|error| error.to_string())? {
            Some(damage) if damage.offset() <= place.offset => fill(shared, place, Arc::new(damage)).await?,
            Some(_) | None => return Ok(()),
        }
    }
}

/// Puts back what one of the peers has of it: the first that has what fits.
async fn fill(shared: &Arc<Shared>, place: &Place, damage: Arc<Damage>) -> Result<(), String> {
    if damage.needs_no_peer() {
        let nothing = Held {
            begin: Lsn::ZERO,
            end: Lsn::ZERO,
        };
        return put(shared, place, &damage, Vec::new(), nothing, None).await;
    }
    let mut peers: Vec<NodeId> = shared.peers().keys().copied().collect();
    peers.sort_by_key(|node| *node != place.origin.node);
    let mut reasons = Vec::new();
    for node in peers {
        let fetched = fetch(shared, node, place.origin, &damage).await;
        let put = match fetched {
            Ok((held, blocks)) => put(shared, place, &damage, blocks, held, Some(node))
                .await
                .map_err(|why| format!("{node}: {why}")),
            Err(error) => Err(error.to_string()),
        };
        match put {
            Ok(()) => return Ok(()),
            Err(why) => reasons.push(why),
        }
    }
    let after = damage.after();
    Err(if reasons.is_empty() {
        format!("what follows {after} is to be fetched from a peer, and none has been reached")
    } else {
        format!(
            "what follows {after} is to be fetched from a peer: {}",
            reasons.join("; ")
        )
    })
}

/// What `node` has of the damaged place: as many bytes as a segment, at most.
async fn fetch(
    shared: &Arc<Shared>,
    node: NodeId,
    origin: Origin,
    damage: &Damage,
) -> Result<(Held, Vec<EncodedBlock>), AskError> {
    let (after, until) = (damage.after(), damage.until());
    let mut asked = ask(shared, node, Request::Blocks { origin, after, until }).await?;
    let Some(Answer::Held { begin, end }) = asked.next().await? else {
        return Err(AskError::beside(node));
    };
    let mut blocks = Vec::new();
    while let Some(answer) = asked.next().await? {
        let Answer::Block(bytes) = answer else {
            return Err(AskError::beside(node));
        };
        let block = EncodedBlock::from_bytes(bytes).map_err(|_| AskError::beside(node))?;
        blocks.push(block);
    }
    Ok((Held { begin, end }, blocks))
}

async fn put(
    shared: &Arc<Shared>,
    place: &Place,
    damage: &Arc<Damage>,
    blocks: Vec<EncodedBlock>,
    held: Held,
    from: Option<NodeId>,
) -> Result<(), String> {
    let repairing = Arc::clone(damage);
    let repaired = tokio::task::spawn_blocking(move || repairing.repair(&blocks, held)).await;
    let repaired = repaired.expect("repairing a segment does not panic");
    let count = repaired.map_err(|error| error.to_string())?;
    shared.counters.repaired_blocks.add(count);
    let (path, offset) = (place.path.display(), damage.offset());
    let from = from.map_or_else(
        || "nobody: a later progress item supersedes it".to_owned(),
        |node| node.to_string(),
    );
    tracing::warn!(origin = %place.origin, %path, offset, blocks = count, %from, "mended the journal");
    Ok(())
}
