use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::error::Error;

/// Whole messages on their way out. A flush that is dropped half-way leaves the rest here, so a message is never cut.
#[derive(Debug)]
pub(crate) struct Outbox<W> {
    sink: W,
    pending: BytesMut,
}

impl<W: AsyncWrite + Unpin> Outbox<W> {
    pub(crate) fn new(sink: W) -> Self {
        Outbox {
            sink,
            pending: BytesMut::new(),
        }
    }

    /// Bytes that have not reached the socket.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Adds one message, or nothing if it cannot be encoded.
    pub(crate) fn push(&mut self, encode: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> Result<(), Error> {
        let before = self.pending.len();
        encode(&mut self.pending).map_err(|source| {
            self.pending.truncate(before);
            Error::Encode { source }
        })
    }

    /// Hands everything to the socket. Cancel-safe: what was not written goes out with the next flush.
    pub(crate) async fn flush(&mut self, during: &'static str) -> Result<(), Error> {
        let lost = |source| Error::Io { during, source };
        while self.pending.has_remaining() {
            if self.sink.write_buf(&mut self.pending).await.map_err(lost)? == 0 {
                return Err(Error::Closed { during });
            }
        }
        self.sink.flush().await.map_err(lost)
    }
}
