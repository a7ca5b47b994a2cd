use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, ReadHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use super::shared::Shared;
use crate::frame::{Decoder, Frame, Kind};
use crate::hello::refused_by_peer;
use crate::{Error, Result};

/// What one side of a link makes of the frames that only it may get.
pub(super) trait Side: Send + 'static {
    /// What the application is given.
    type Event: Send + 'static;

    /// Takes a frame; gives what goes to the application, if anything.
    fn take(&mut self, frame: Frame) -> Result<Option<Self::Event>>;

    /// The link is over.
    fn close(&mut self);

    /// An acknowledgement came.
    fn ack(payload: Bytes) -> Self::Event;

    /// A heartbeat came.
    fn heartbeat(payload: Bytes) -> Self::Event;
}

/// The task that reads.
pub(super) struct Reading<S: Side> {
    pub(super) shared: Arc<Shared>,
    pub(super) input: ReadHalf<TlsStream<TcpStream>>,
    pub(super) decoder: Decoder,
    pub(super) side: S,
    pub(super) events: mpsc::Sender<S::Event>,
}

impl<S: Side> Reading<S> {
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let result = tokio::select! {
            biased;
            () = shared.ended.cancelled() => Ok(()),
            result = self.read_all() => result,
        };
        shared.end(result.err().unwrap_or(Error::Closed));
        self.side.close();
    }

    async fn read_all(&mut self) -> Result<()> {
        loop {
            while let Some(frame) = self.decoder.next_frame()? {
                if frame.kind == Kind::Goodbye {
                    return Ok(());
                }
                self.take(frame).await?;
            }
            // Only reading counts: while the application takes nothing, nothing is read and nothing is proven.
            let dead_after = self.shared.options.dead_after;
            let read = timeout(dead_after, self.input.read_buf(self.decoder.buffer())).await;
            if read
                .map_err(|_| Error::Silent(dead_after))?
                .map_err(|e| Error::from_stream("read", e))?
                == 0
            {
                let within = if self.decoder.is_within_frame() {
                    "within a frame"
                } else {
                    "without a goodbye"
                };
                return Err(Error::Torn { within });
            }
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<()> {
        let event = match frame.kind {
            Kind::Ping => {
                self.shared.control.pong(number(&frame));
                return Ok(());
            }
            Kind::Pong => {
                self.shared.pong_came(number(&frame));
                return Ok(());
            }
            Kind::Error => return Err(refused_by_peer(&frame.payload)),
            Kind::Ack => Some(S::ack(frame.payload)),
            Kind::Heartbeat => Some(S::heartbeat(frame.payload)),
            Kind::Subscribe
            | Kind::Block
            | Kind::Credit
            | Kind::Request
            | Kind::Response
            | Kind::ResponseEnd
            | Kind::Cancel => self.side.take(frame)?,
            Kind::Hello | Kind::Ready | Kind::Goodbye => {
                return Err(Error::Violation("a frame of the handshake after it"));
            }
        };
        let Some(event) = event else { return Ok(()) };
        // Once we want to leave, nobody may be there to take events; reading goes on until the peer has closed.
        tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => {}
            sent = self.events.send(event) => {
                if sent.is_err() {
                    self.shared.stop.cancel();
                }
            }
        }
        Ok(())
    }
}

/// The number that a frame carries whose kind always carries one.
pub(super) fn number(frame: &Frame) -> u64 {
    frame.as_number().expect("the decoder checks the length of a number")
}
