//! receive -> journal: what this node takes from the peers it dials.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use synapse_engine_change::Part;
use synapse_engine_identity::Origin;
use synapse_engine_journal::{EncodedBlock, Log};
use synapse_engine_transport::{Backoff, Class, Endpoint, FromSender, OutgoingLink, Receiver, Refusal};
use synapse_wal_types::Lsn;

use crate::error::Error;
use crate::frames::{self, Beat, Subscribe};
use crate::shared::{Shared, lock};
use crate::ship::met;

/// A peer that is not heard for so long counts as gone: what only others can still give is asked of them.
const SILENT: Duration = Duration::from_secs(3);
/// Parts of a transaction that is not whole yet are made durable, and granted back, in such pieces: it may be larger
/// than all the credit of a link.
const PARTS_BYTES: u64 = 1 << 20;

/// Dials `address` again and again until the daemon stops.
pub(crate) async fn run(shared: Arc<Shared>, endpoint: Endpoint, address: String) {
    let mut backoff = Backoff::default();
    let mut said = String::new();
    let mut came = shared.came.subscribe();
    loop {
        came.borrow_and_update();
        let attempt = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            attempt = once(&shared, &endpoint, &address, &mut backoff) => attempt,
        };
        let Err(error) = attempt else { return };
        let text = error.to_string();
        note_trouble(&shared, &address, &text);
        if text == said {
            tracing::debug!(%address, error = %text, "still no link");
        } else {
            tracing::warn!(%address, error = %text, "no link to the peer; it is dialled again");
            said = text;
        }
        let class = if let Error::Link(error) = &error {
            error.class()
        } else {
            Class::Transient
        };
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            _ = came.changed() => {}
            () = tokio::time::sleep(backoff.next(class, rand::random())) => {}
        }
    }
}

async fn once(shared: &Arc<Shared>, endpoint: &Endpoint, address: &str, backoff: &mut Backoff) -> Result<(), Error> {
    let link = endpoint.dial(address).await?;
    let origin = Origin {
        node: link.peer.node,
        incarnation: link.peer.incarnation,
    };
    {
        let mut peers = shared.peers();
        if peers.iter().any(|(node, p)| *node == origin.node && p.link.is_some()) {
            let refusal = Refusal::DuplicateNode(origin.node);
            link.receiver.refuse(refusal.clone());
            return Err(Error::Refused(format!("{address}: {refusal}")));
        }
        let peer = peers.entry(origin.node).or_default();
        peer.origin = Some(origin);
        peer.address = Some(address.to_owned());
        peer.link = Some(link.receiver.clone());
        peer.trouble = None;
    }
    met(shared, origin);
    backoff.reset();
    tracing::info!(peer = %origin, %address, "linked");
    let ended = take(shared, link, origin).await;
    if let Some(peer) = shared.peers().get_mut(&origin.node) {
        peer.link = None;
    }
    shared.stir();
    ended
}

fn note_trouble(shared: &Shared, address: &str, text: &str) {
    for peer in shared
        .peers()
        .values_mut()
        .filter(|p| p.address.as_deref() == Some(address))
    {
        peer.trouble = Some(text.to_owned());
    }
}

/// What has come over one link and is not granted back yet.
struct Link {
    origin: Origin,
    receiver: Receiver,
    /// Blocks appended and not durable: their origin, last transaction and length.
    owed: VecDeque<(Origin, Lsn, u64)>,
    /// Bytes of parts that were appended and not made durable: their transaction is not whole yet.
    owed_parts: u64,
    /// Origins that this link was asked for.
    followed: Vec<Origin>,
}

async fn take(shared: &Arc<Shared>, link: OutgoingLink, origin: Origin) -> Result<(), Error> {
    let mut events = link.events;
    let mut link = Link {
        origin,
        receiver: link.receiver,
        owed: VecDeque::new(),
        owed_parts: 0,
        followed: Vec::new(),
    };
    // The peer has a log from now on, and its present life is known by it.
    shared.journal.log(origin)?;
    shared.stir();
    let mut durable = shared.durable.subscribe();
    loop {
        tokio::select! {
            event = events.recv() => match event? {
                FromSender::Block(bytes) => link.block(shared, bytes).await?,
                FromSender::Heartbeat(payload) => link.beat(shared, frames::decode(&payload)?).await?,
                FromSender::Ack(_) => {}
            },
            changed = durable.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let durable = durable.borrow_and_update().clone();
                link.grant(&durable)?;
            }
        }
    }
}

impl Link {
    async fn subscribe(&self, shared: &Shared, origin: Origin) -> Result<(), Error> {
        let after = shared.journal.log(origin)?.end();
        Ok(self
            .receiver
            .subscribe(frames::encode(&Subscribe { origin, after }))
            .await?)
    }

    async fn block(&mut self, shared: &Shared, bytes: Bytes) -> Result<(), Error> {
        let length = bytes.len() as u64;
        let block = EncodedBlock::from_bytes(bytes)?;
        let header = *block.header();
        if header.origin == shared.me {
            return Err(Error::Refused("a peer sent this node's own transactions".to_owned()));
        }
        let log = shared.journal.log(header.origin)?;
        log.append(&block)?;
        if let Part::Middle(_) = header.part {
            return self.part(log, length).await;
        }
        self.owed.push_back((header.origin, header.last, length));
        shared.grew(header.origin);
        self.grant(&shared.durable.borrow().clone())
    }

    /// No transaction tells when a part is durable, so the log is made durable here.
    async fn part(&mut self, log: Arc<Log>, length: u64) -> Result<(), Error> {
        self.owed_parts += length;
        if self.owed_parts >= PARTS_BYTES {
            let synced = tokio::task::spawn_blocking(move || log.sync());
            synced.await.expect("syncing a log does not panic")?;
            self.receiver.grant(std::mem::take(&mut self.owed_parts))?;
        }
        Ok(())
    }

    /// Credit comes back when a block is durable, never when it is applied: a slow applier slows nobody.
    fn grant(&mut self, durable: &synapse_engine_identity::Context) -> Result<(), Error> {
        let mut bytes = 0;
        while let Some((origin, last, length)) = self.owed.front()
            && durable.get(*origin) >= *last
        {
            bytes += length;
            self.owed.pop_front();
        }
        if bytes > 0 {
            self.receiver.grant(bytes)?;
        }
        Ok(())
    }

    async fn beat(&mut self, shared: &Arc<Shared>, beat: Beat) -> Result<(), Error> {
        if let (Some(heartbeat), Some(kernel)) = (&beat.stamper, shared.kernel()) {
            let mut kernel = lock(&kernel);
            kernel.own_clock(crate::clock::now_hlc(), shared.clock.monotonic());
            kernel.heard(heartbeat, shared.clock.monotonic());
        }
        self.follow(shared, &beat).await?;
        if let Some(peer) = shared.peers().get_mut(&self.origin.node) {
            peer.beat = Some((beat, Instant::now()));
        }
        shared.stir();
        Ok(())
    }

    /// Asks for what this peer can ship: its own transactions, and a third node's that it holds when their own node does
    /// not have them for us. They reach everybody through whoever has them.
    async fn follow(&mut self, shared: &Arc<Shared>, beat: &Beat) -> Result<(), Error> {
        if !shared.joining.follows() {
            return Ok(());
        }
        for (origin, from) in beat.from.iter().copied().filter(|(origin, _)| *origin != shared.me) {
            let end = shared.journal.log(origin)?.end();
            let wanted = origin == self.origin || beat.available.get(origin) > end && needs_relay(shared, origin, end);
            if wanted && from <= end && !self.followed.contains(&origin) {
                self.subscribe(shared, origin).await?;
                self.followed.push(origin);
            }
        }
        // Once its own node is back, that one ships again.
        for origin in std::mem::take(&mut self.followed) {
            if origin == self.origin || needs_relay(shared, origin, shared.journal.log(origin)?.end()) {
                self.followed.push(origin);
            }
        }
        Ok(())
    }
}

/// Whether the node of `origin` cannot ship what comes after `end`: it is gone, has begun a new life, or has forgotten it.
fn needs_relay(shared: &Shared, origin: Origin, end: Lsn) -> bool {
    let peers = shared.peers();
    let Some(peer) = peers.get(&origin.node).filter(|peer| peer.link.is_some()) else {
        return true;
    };
    let Some((beat, _)) = peer.beat.as_ref().filter(|(_, at)| at.elapsed() <= SILENT) else {
        return true;
    };
    peer.origin != Some(origin) || beat.from.iter().any(|(of, from)| *of == origin && *from > end)
}
