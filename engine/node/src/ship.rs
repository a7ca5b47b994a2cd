//! ship: what peers that dialled this node are sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use synapse_engine_identity::{NodeId, Origin};
use synapse_engine_transport::{Accepted, Acceptor, FromReceiver, IncomingLink, Sender};
use synapse_wal_types::Lsn;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer;
use crate::clock;
use crate::error::Error;
use crate::frames::{self, Beat, Subscribe};
use crate::mend;
use crate::shared::{Shared, lock};
use crate::state::State;

/// A peer hears from this node at least so often; stability, clocks, lag and holds are as old as that.
const BEAT: Duration = Duration::from_millis(500);
/// And no more often than that, when applied positions move.
const BEAT_MIN: Duration = Duration::from_millis(20);
/// After a failure to accept: the process is out of descriptors, as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Takes links until the daemon stops.
pub(crate) async fn run(shared: Arc<Shared>, mut acceptor: Acceptor) -> Result<(), Error> {
    let links = TaskTracker::new();
    loop {
        match acceptor.accept().await {
            Ok(None) => break,
            Ok(Some(Accepted::Link(link))) => {
                tracing::debug!(peer = %link.peer.node, address = %link.address, "a peer linked");
                links.spawn(serve(Arc::clone(&shared), *link));
            }
            Ok(Some(Accepted::Refused { address, error })) => {
                tracing::warn!(%address, %error, "refused a link");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept links");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    links.close();
    links.wait().await;
    Ok(())
}

/// A peer was met in this life.
pub(crate) fn met(shared: &Shared, origin: Origin) {
    shared.peers().entry(origin.node).or_default().origin = Some(origin);
    if let Some(kernel) = shared.kernel() {
        lock(&kernel).life(origin);
    }
}

/// One peer's link.
async fn serve(shared: Arc<Shared>, link: IncomingLink) {
    let peer = link.peer.node;
    let origin = Origin {
        node: peer,
        incarnation: link.peer.incarnation,
    };
    met(&shared, origin);
    shared.came.send_modify(|n| *n += 1);
    let tasks = TaskTracker::new();
    let ended = shared.shutdown.child_token();
    let mut shipping: BTreeMap<Origin, CancellationToken> = BTreeMap::new();
    tasks.spawn(beat(Arc::clone(&shared), link.sender.clone(), peer, ended.clone()));
    let mut events = link.events;
    let cause = loop {
        match events.recv().await {
            Err(error) => break error,
            Ok(FromReceiver::Ack(_) | FromReceiver::Heartbeat(_)) => {}
            Ok(FromReceiver::Subscribe(payload)) => match frames::decode::<Subscribe>(&payload) {
                Err(error) => tracing::warn!(%peer, %error, "unreadable subscription"),
                Ok(wanted) => {
                    let stop = ended.child_token();
                    if let Some(before) = shipping.insert(wanted.origin, stop.clone()) {
                        before.cancel();
                    }
                    tasks.spawn(ship(Arc::clone(&shared), link.sender.clone(), peer, wanted, stop));
                }
            },
            Ok(FromReceiver::Request { payload, responder }) => {
                tasks.spawn(answer::answer(Arc::clone(&shared), payload, responder));
            }
        }
    };
    tracing::debug!(%peer, %cause, "a peer's link ended");
    ended.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Ships one origin's blocks, as they come.
async fn ship(shared: Arc<Shared>, sender: Sender, peer: NodeId, wanted: Subscribe, stop: CancellationToken) {
    let origin = wanted.origin;
    tokio::select! {
        () = stop.cancelled() => {}
        done = blocks(&shared, &sender, peer, wanted) => {
            if let Err(error) = done {
                tracing::warn!(%peer, %origin, %error, "stopped shipping");
            }
        }
    }
}

async fn blocks(shared: &Arc<Shared>, sender: &Sender, peer: NodeId, wanted: Subscribe) -> Result<(), Error> {
    let log = shared.journal.log(wanted.origin)?;
    // A peer that has seen nothing of ours begins where our stream began, if all of it is still here.
    let begin = if wanted.origin == shared.me {
        shared.state().start
    } else {
        Lsn::ZERO
    };
    let mut reader = log.read_after(wanted.after.max(begin))?;
    let mut grown = shared.growth.of(wanted.origin);
    let mut stirred = shared.stirred.subscribe();
    let own = wanted.origin == shared.me;
    let mut shippable = shared.shippable.subscribe();
    let mut durable = shared.durable.subscribe();
    loop {
        grown.borrow_and_update();
        stirred.borrow_and_update();
        if shared.state().held.contains(&peer) {
            let _ = stirred.changed().await;
            continue;
        }
        let Some(block) = mend::next_block(shared, &mut reader).await? else {
            let _ = grown.changed().await;
            continue;
        };
        let last = block.header().last;
        // Our own blocks go out while they are made durable, unless a stamp in them must be durable first; what we
        // relay is durable here before it goes on.
        let done = if own {
            shippable.wait_for(|up_to| *up_to >= last).await.is_ok()
        } else {
            durable
                .wait_for(|durable| durable.get(wanted.origin) >= last)
                .await
                .is_ok()
        };
        if !done {
            return Ok(());
        }
        while shared.state().held.contains(&peer) {
            let _ = stirred.changed().await;
        }
        sender.send_block(block.bytes().clone()).await?;
    }
}

/// Tells the peer now and then how far this node is.
async fn beat(shared: Arc<Shared>, sender: Sender, peer: NodeId, stop: CancellationToken) {
    let mut captured = shared.captured.subscribe();
    loop {
        captured.borrow_and_update();
        let beat = word(&shared, peer);
        tokio::select! {
            () = stop.cancelled() => return,
            sent = sender.send_heartbeat(frames::encode(&beat)) => if sent.is_err() { return },
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BEAT_MIN) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BEAT) => {}
            _ = captured.changed() => {}
        }
    }
}

/// From where each origin can be shipped. Our own not before we are a member: it may begin anew until then.
fn begins(shared: &Shared, state: &State) -> Vec<(Origin, Lsn)> {
    let begin = |origin| {
        let begin = shared.journal.log(origin).ok()?.begin();
        if origin != shared.me {
            return Some((origin, begin));
        }
        // Nothing comes before the start.
        let from = if begin <= state.start { Lsn::ZERO } else { begin };
        (state.join.streams() && state.slot_created).then_some((origin, from))
    };
    shared.journal.origins().into_iter().filter_map(begin).collect()
}

fn word(shared: &Shared, peer: NodeId) -> Beat {
    let stamper = shared.kernel().and_then(|kernel| {
        let heartbeat = lock(&kernel).heartbeat(clock::now_hlc(), &shared.durable.borrow());
        (heartbeat.captured > Lsn::ZERO).then_some(heartbeat)
    });
    let ends = shared
        .journal
        .origins()
        .into_iter()
        .filter_map(|o| Some((o, shared.journal.log(o).ok()?.durable())));
    let state = shared.state();
    Beat {
        stamper,
        durable: shared.durable.borrow().clone(),
        available: ends.collect(),
        from: begins(shared, &state),
        held: state.held.contains(&peer),
        ordinal: state.ordinal,
    }
}
