use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::calls::{Calls, ResponseStream};
use super::credit::Ledger;
use super::options::{BLOCK_MAX, EVENTS_MAX, Options};
use super::reading::{Reading, Side};
use super::shared::{Handle, Shared, check_size};
use super::wire::Wire;
use super::writing::Writing;
use crate::frame::{Assembly, Frame, Kind, SUBSCRIBE_MAX};
use crate::hello::{Hello, Refusal};
use crate::{Error, Result};
use tokio_util::sync::CancellationToken;

/// A link that this node dialled: it receives the peer's blocks.
#[derive(Debug)]
pub struct OutgoingLink {
    /// Who the peer is; its node and cluster are those of its certificate.
    pub peer: Hello,
    /// What comes.
    pub events: Incoming<FromSender>,
    /// What goes.
    pub receiver: Receiver,
}

/// What the sender of blocks says.
#[derive(Debug)]
pub enum FromSender {
    /// A whole block. Its length is owed as credit: see [`Receiver::grant`].
    Block(Bytes),
    /// What the peer has taken.
    Ack(Bytes),
    /// A heartbeat; it keeps its place between the blocks.
    Heartbeat(Bytes),
}

/// What comes over a link, in order. Dropping it ends the link.
#[derive(Debug)]
pub struct Incoming<E> {
    pub(super) events: mpsc::Receiver<E>,
    pub(super) handle: Arc<Handle>,
}

impl<E> Incoming<E> {
    /// The next event. Cancel-safe. Keep calling it: up to 1,024 events wait, then the link reads no further, neither
    /// answers nor credit.
    ///
    /// # Errors
    /// [`Error::Closed`] after the peer's goodbye or our own end; [`Error::Lost`] with the cause when the link broke. Events
    /// that came before are given first.
    pub async fn recv(&mut self) -> Result<E> {
        match self.events.recv().await {
            Some(event) => Ok(event),
            None => Err(self.handle.0.error()),
        }
    }
}

/// What the receiver of blocks says. Cheap to clone; when the last clone and the [`Incoming`] are gone the link ends.
#[derive(Clone, Debug)]
pub struct Receiver {
    handle: Arc<Handle>,
    ledger: Arc<Ledger>,
    calls: Arc<Calls>,
}

impl Receiver {
    /// Says what the peer is to ship, at most 64 KiB. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Closed`] or [`Error::Lost`] when the link is over.
    pub async fn subscribe(&self, payload: Bytes) -> Result<()> {
        check_size("subscription", payload.len(), SUBSCRIBE_MAX)?;
        self.handle.0.send_prompt(Frame::plain(Kind::Subscribe, payload)).await
    }

    /// Returns credit for blocks that are durable: the sum of their lengths in bytes, each once. Never waits.
    ///
    /// # Errors
    /// [`Error::OverGranted`] when that is more than was received and not returned.
    pub fn grant(&self, bytes: u64) -> Result<()> {
        self.ledger.grant(bytes)?;
        self.handle.0.control.block_credit(bytes);
        Ok(())
    }

    /// Asks the peer something, at most 1 MiB, as soon as fewer than 16 requests are open on this link. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Closed`] or [`Error::Lost`] when the link is over.
    pub async fn request(&self, payload: Bytes) -> Result<ResponseStream> {
        self.calls.request(payload).await
    }

    /// Says what we have taken, at most 16 KiB. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Closed`] or [`Error::Lost`] when the link is over.
    pub async fn send_ack(&self, payload: Bytes) -> Result<()> {
        self.handle.0.send_ack(payload).await
    }

    /// Sends a heartbeat, at most 16 KiB. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Closed`] or [`Error::Lost`] when the link is over.
    pub async fn send_heartbeat(&self, payload: Bytes) -> Result<()> {
        self.handle.0.send_heartbeat(payload).await
    }

    /// Ends the link and tells the peer why it is not wanted.
    pub fn refuse(&self, refusal: Refusal) {
        self.handle.0.refuse(refusal);
    }

    /// How long the last ping took there and back, once one did. Pings go only when nothing else does.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.handle.0.round_trip()
    }

    /// Resolves when the link is over and its tasks have ended; gives the cause.
    pub async fn closed(&self) -> Error {
        self.handle.0.tasks.wait().await;
        self.handle.0.error()
    }
}

/// The dialer's side of what is read.
struct Dialer {
    ledger: Arc<Ledger>,
    calls: Arc<Calls>,
    block: Assembly,
}

impl Side for Dialer {
    type Event = FromSender;

    fn take(&mut self, frame: Frame) -> Result<Option<FromSender>> {
        match frame.kind {
            Kind::Block => {
                self.ledger.check(self.block.held() + frame.payload.len())?;
                let block = self
                    .block
                    .push(frame.flags, frame.payload, BLOCK_MAX)
                    .map_err(Error::Violation)?;
                let Some(block) = block else { return Ok(None) };
                if block.is_empty() {
                    return Err(Error::Violation("an empty block"));
                }
                self.ledger.received(block.len());
                Ok(Some(FromSender::Block(block)))
            }
            Kind::Response | Kind::ResponseEnd => self.calls.answered(frame).map(|()| None),
            Kind::Hello
            | Kind::Ready
            | Kind::Subscribe
            | Kind::Credit
            | Kind::Ack
            | Kind::Heartbeat
            | Kind::Request
            | Kind::Cancel
            | Kind::Error
            | Kind::Ping
            | Kind::Pong
            | Kind::Goodbye => Err(Error::Violation("a frame that only a dialer may send")),
        }
    }

    fn close(&mut self) {
        self.calls.close();
    }

    fn ack(payload: Bytes) -> FromSender {
        FromSender::Ack(payload)
    }

    fn heartbeat(payload: Bytes) -> FromSender {
        FromSender::Heartbeat(payload)
    }
}

impl OutgoingLink {
    pub(super) fn start(wire: Wire, peer: Hello, options: Options, shutdown: &CancellationToken) -> Self {
        let (shared, queues) = Shared::new(options, shutdown);
        let ledger = Arc::new(Ledger::new(options.window_bytes));
        let calls = Calls::new(Arc::clone(&shared));
        let (events, incoming) = mpsc::channel(EVENTS_MAX);
        let (input, decoder, output) = wire.split();
        let side = Dialer {
            ledger: Arc::clone(&ledger),
            calls: Arc::clone(&calls),
            block: Assembly::Idle,
        };
        let reading = Reading {
            shared: Arc::clone(&shared),
            input,
            decoder,
            side,
            events,
        };
        shared.tasks.spawn(reading.run());
        shared
            .tasks
            .spawn(Writing::new(Arc::clone(&shared), output, queues).run());
        shared.tasks.close();
        let handle = Arc::new(Handle(shared));
        let events = Incoming {
            events: incoming,
            handle: Arc::clone(&handle),
        };
        OutgoingLink {
            peer,
            events,
            receiver: Receiver { handle, ledger, calls },
        }
    }
}
