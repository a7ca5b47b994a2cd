use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::credit::SendWindow;
use super::options::{EVENTS_MAX, Options};
use super::outgoing::Incoming;
use super::reading::{Reading, Side, number};
use super::serving::{Responder, Serving};
use super::shared::{Handle, Ordered, Shared};
use super::wire::Wire;
use super::writing::{Writing, check_block};
use crate::frame::{Frame, Kind};
use crate::hello::{Hello, Refusal};
use crate::{Error, Result};

/// A link that a peer dialled: this node sends it blocks.
#[derive(Debug)]
pub struct IncomingLink {
    /// Who the peer is; its node and cluster are those of its certificate.
    pub peer: Hello,
    /// Whence it came.
    pub address: SocketAddr,
    /// What comes.
    pub events: Incoming<FromReceiver>,
    /// What goes.
    pub sender: Sender,
}

/// What the receiver of blocks says.
#[derive(Debug)]
pub enum FromReceiver {
    /// What it wants to be shipped.
    Subscribe(Bytes),
    /// What it has taken.
    Ack(Bytes),
    /// A heartbeat.
    Heartbeat(Bytes),
    /// A question, and where the answer goes.
    Request {
        /// The question.
        payload: Bytes,
        /// Where the answer goes.
        responder: Responder,
    },
}

/// What the sender of blocks says. Cheap to clone; when the last clone and the [`Incoming`] are gone the link ends.
#[derive(Clone, Debug)]
pub struct Sender {
    handle: Arc<Handle>,
    credit: Arc<SendWindow>,
}

impl Sender {
    /// Queues a block of 1 byte to 64 MiB as soon as the receiver has credit for it; a block larger than its window
    /// waits until all credit is back. Cancel-safe: the block is queued whole or not at all. Let one task call it, or the
    /// order is that of chance. The [`Incoming`] must be drained meanwhile, since credit comes between its events.
    ///
    /// # Errors
    /// [`Error::EmptyBlock`]; [`Error::TooLarge`]; [`Error::Closed`] or [`Error::Lost`] when the link is over.
    pub async fn send_block(&self, payload: Bytes) -> Result<()> {
        check_block(&payload)?;
        let shared = &self.handle.0;
        let room = shared
            .unless_ended(self.credit.room(payload.len()))
            .await?
            .map_err(|_| shared.error())?;
        let place = shared
            .unless_ended(shared.ordered.reserve())
            .await?
            .map_err(|_| shared.error())?;
        room.spend();
        place.send(Ordered::Block(payload));
        Ok(())
    }

    /// Says what we have taken, at most 16 KiB; it overtakes blocks. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Closed`] or [`Error::Lost`] when the link is over.
    pub async fn send_ack(&self, payload: Bytes) -> Result<()> {
        self.handle.0.send_ack(payload).await
    }

    /// Sends a heartbeat, at most 16 KiB; it keeps its place behind the blocks that were queued before it. Cancel-safe.
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

/// The acceptor's side of what is read.
struct Accepting {
    credit: Arc<SendWindow>,
    serving: Arc<Serving>,
}

impl Side for Accepting {
    type Event = FromReceiver;

    fn take(&mut self, frame: Frame) -> Result<Option<FromReceiver>> {
        match frame.kind {
            Kind::Subscribe => Ok(Some(FromReceiver::Subscribe(frame.payload))),
            Kind::Credit if frame.stream == 0 => self.credit.returned(number(&frame)).map(|()| None),
            Kind::Credit => self.serving.returned(frame.stream, number(&frame)).map(|()| None),
            Kind::Request => {
                let responder = self.serving.requested(frame.stream)?;
                Ok(Some(FromReceiver::Request {
                    payload: frame.payload,
                    responder,
                }))
            }
            Kind::Cancel => {
                self.serving.cancelled(frame.stream);
                Ok(None)
            }
            Kind::Hello
            | Kind::Ready
            | Kind::Block
            | Kind::Ack
            | Kind::Heartbeat
            | Kind::Response
            | Kind::ResponseEnd
            | Kind::Error
            | Kind::Ping
            | Kind::Pong
            | Kind::Goodbye => Err(Error::Violation("a frame that only an acceptor may send")),
        }
    }

    fn close(&mut self) {
        self.credit.close();
        self.serving.close();
    }

    fn ack(payload: Bytes) -> FromReceiver {
        FromReceiver::Ack(payload)
    }

    fn heartbeat(payload: Bytes) -> FromReceiver {
        FromReceiver::Heartbeat(payload)
    }
}

impl IncomingLink {
    pub(super) fn start(
        wire: Wire,
        peer: (Hello, SocketAddr),
        window: u32,
        options: Options,
        shutdown: &CancellationToken,
    ) -> Self {
        let (shared, queues) = Shared::new(options, shutdown);
        let credit = Arc::new(SendWindow::new(window));
        let serving = Serving::new(Arc::clone(&shared));
        let (events, incoming) = mpsc::channel(EVENTS_MAX);
        let (input, decoder, output) = wire.split();
        let side = Accepting {
            credit: Arc::clone(&credit),
            serving,
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
        let (peer, address) = peer;
        let events = Incoming {
            events: incoming,
            handle: Arc::clone(&handle),
        };
        IncomingLink {
            peer,
            address,
            events,
            sender: Sender { handle, credit },
        }
    }
}
