use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Cursor;
use crate::error::Error;

/// The longest message that PostgreSQL sends: a `StringInfo` ends at `MaxAllocSize`, 1 GiB - 1 (`stringinfo.c`).
pub(super) const MESSAGE_BYTES_MAX: usize = 0x3FFF_FFFF;

/// The longest message before the login is done, when the peer may be anyone (libpq allows 2,000 for `R`, 30,000 for `E`).
const LOGIN_MESSAGE_BYTES_MAX: usize = 30_000;

/// How much one read may take in: large enough that a system call is paid once for hundreds of rows. It is also how far
/// the buffer grows ahead of what has arrived, so that an announced length alone claims no memory.
const READ_BYTES: usize = 128 * 1024;

/// The type byte and the length, which counts itself.
const HEADER_BYTES: usize = 5;

/// One message of the server: type and body.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) tag: u8,
    pub(crate) body: Bytes,
}

impl Frame {
    pub(crate) fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self.tag, &self.body)
    }

    pub(crate) fn unexpected(&self, during: &'static str) -> Error {
        Error::Unexpected {
            during,
            tag: char::from(self.tag),
        }
    }
}

/// Cuts the server's bytes into messages. It holds at most one unfinished message and one read's worth of bytes more.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    source: R,
    buffer: BytesMut,
    message_bytes_max: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader with the small limit of the login.
    pub(crate) fn new(source: R) -> Self {
        FrameReader {
            source,
            buffer: BytesMut::new(),
            message_bytes_max: LOGIN_MESSAGE_BYTES_MAX,
        }
    }

    /// From here on messages may be as long as PostgreSQL makes them.
    pub(crate) fn login_done(&mut self) {
        self.message_bytes_max = MESSAGE_BYTES_MAX;
    }

    /// The next message. Cancel-safe: bytes that have been read stay in the buffer.
    pub(crate) async fn next(&mut self, during: &'static str) -> Result<Frame, Error> {
        loop {
            if let Some(frame) = self.cut()? {
                return Ok(frame);
            }
            // Below half of a read the kernel would be asked for crumbs.
            if self.buffer.capacity() - self.buffer.len() < READ_BYTES / 2 {
                self.buffer.reserve(READ_BYTES);
            }
            let read = self.source.read_buf(&mut self.buffer).await;
            if read.map_err(|source| Error::Io { during, source })? == 0 {
                return Err(Error::Closed { during });
            }
        }
    }

    fn cut(&mut self) -> Result<Option<Frame>, Error> {
        let Some((&[tag, a, b, c, d], _)) = self.buffer.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes([a, b, c, d]);
        let body_bytes = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_sub(4))
            .ok_or(Error::Malformed {
                tag: char::from(tag),
                offset: 0,
                expected: "a length of 4 or more",
            })?;
        if body_bytes > self.message_bytes_max {
            let bytes_max = self.message_bytes_max;
            return Err(Error::TooLong {
                tag: char::from(tag),
                bytes: body_bytes,
                bytes_max,
            });
        }
        if self.buffer.len() - HEADER_BYTES < body_bytes {
            return Ok(None);
        }
        let body = self
            .buffer
            .split_to(HEADER_BYTES + body_bytes)
            .freeze()
            .slice(HEADER_BYTES..);
        Ok(Some(Frame { tag, body }))
    }
}
