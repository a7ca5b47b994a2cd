//! Frames on the wire: a header of 16 bytes, little-endian, and a payload. No IO.
//!
//! ```text
//! 0        4      5       6          8        12      16
//! | length | kind | flags | zero u16 | stream | crc32 | payload … |
//! ```
//!
//! `length` counts the payload; the CRC-32 covers the first twelve bytes and the payload. A length is checked against
//! its kind's bounds before anything is allocated for it.

mod assembly;
mod header;
mod kind;

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub(crate) use assembly::{Assembly, Pieces};
use header::Header;
pub use header::{Fault, FrameError};
pub use kind::{Flags, Kind, PAYLOAD_MAX, SMALL_MAX, SUBSCRIBE_MAX};

/// Size of the header, bytes.
pub const HEADER: usize = 16;
const READ_STEP: usize = 64 << 10;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Its marks.
    pub flags: Flags,
    /// Which request it belongs to; 0 for none.
    pub stream: u32,
    /// Its content.
    pub payload: Bytes,
}

impl Frame {
    /// A frame of no stream and without marks.
    #[must_use]
    pub fn plain(kind: Kind, payload: Bytes) -> Self {
        Frame {
            kind,
            flags: Flags::NONE,
            stream: 0,
            payload,
        }
    }

    /// A frame that carries one number, of a stream or (0) of none.
    #[must_use]
    pub fn number(kind: Kind, stream: u32, number: u64) -> Self {
        Frame {
            kind,
            flags: Flags::NONE,
            stream,
            payload: Bytes::copy_from_slice(&number.to_le_bytes()),
        }
    }

    /// The number in the payload of a credit, ping or pong.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        self.payload.as_ref().try_into().ok().map(u64::from_le_bytes)
    }

    /// The header; the payload follows it on the wire as it is.
    ///
    /// # Errors
    /// The fault that the peer's decoder would find.
    pub fn header(&self) -> Result<[u8; HEADER], Fault> {
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        let parts = Header {
            length,
            kind: self.kind,
            flags: self.flags,
            stream: self.stream,
        };
        parts.check()?;
        let mut bytes = [0; HEADER];
        let mut out = &mut bytes[..];
        out.put_u32_le(length);
        out.put_u8(self.kind as u8);
        out.put_u8(self.flags.0);
        out.put_u16_le(0);
        out.put_u32_le(self.stream);
        let crc = checksum(&bytes[..12], &self.payload);
        bytes[12..].copy_from_slice(&crc.to_le_bytes());
        Ok(bytes)
    }
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(header);
    crc.update(payload);
    crc.finalize()
}

/// Turns a connection's bytes, in pieces of any size, into frames. Payloads are slices of what was read.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    offset: u64,
}

impl Decoder {
    /// The buffer to read into, with room for the rest of the frame that is being read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        let missing = match self.buffer.get(..HEADER).map(Header::parse) {
            Some(Ok(header)) => (HEADER + header.payload()).saturating_sub(self.buffer.len()),
            Some(Err(_)) | None => HEADER,
        };
        if self.buffer.capacity() - self.buffer.len() < missing.max(HEADER) {
            self.buffer.reserve(missing.max(READ_STEP));
        }
        &mut self.buffer
    }

    /// The next whole frame, or `None` until more has been read.
    ///
    /// # Errors
    /// The first malformed frame, by its offset. Nothing after it can be trusted.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let offset = self.offset;
        let failed = |fault| FrameError { offset, fault };
        let Some(bytes) = self.buffer.get(..HEADER) else {
            return Ok(None);
        };
        let header = Header::parse(bytes).map_err(failed)?;
        let size = HEADER + header.payload();
        if self.buffer.len() < size {
            return Ok(None);
        }
        let mut bytes = self.buffer.split_to(size).freeze();
        let mut start = bytes.split_to(HEADER);
        let found = checksum(&start[..12], &bytes);
        start.advance(12);
        let expected = start.get_u32_le();
        if found != expected {
            return Err(failed(Fault::Checksum { expected, found }));
        }
        self.offset += size as u64;
        let Header {
            kind, flags, stream, ..
        } = header;
        Ok(Some(Frame {
            kind,
            flags,
            stream,
            payload: bytes,
        }))
    }

    /// Whether a frame has begun and is not complete.
    #[must_use]
    pub fn is_within_frame(&self) -> bool {
        !self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests;
