use bytes::Buf;

use super::{Flags, Kind};

/// Where in the connection's bytes a malformed frame begins, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {fault}")]
pub struct FrameError {
    /// Bytes of the connection before the frame's header.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A kind that this version does not know.
    #[error("unknown kind {0}")]
    Kind(u8),
    /// Marks that do not belong on the kind.
    #[error("flags {flags:#04x} on a frame of kind {kind:?}")]
    Flags {
        /// The kind.
        kind: Kind,
        /// The marks.
        flags: u8,
    },
    /// The two bytes of zeros are none.
    #[error("reserved bytes are {0:#06x}")]
    Reserved(u16),
    /// A payload length that the kind does not have.
    #[error("{length} bytes in a frame of kind {kind:?}, which has {min} to {max}")]
    Length {
        /// The kind.
        kind: Kind,
        /// The length claimed, bytes.
        length: u32,
        /// Least, bytes.
        min: usize,
        /// Most, bytes.
        max: usize,
    },
    /// A stream where there is none, or none where there must be one.
    #[error("stream {stream} on a frame of kind {kind:?}")]
    Stream {
        /// The kind.
        kind: Kind,
        /// The stream.
        stream: u32,
    },
    /// The bytes are not those that were sent.
    #[error("checksum {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// By the header.
        expected: u32,
        /// By the bytes.
        found: u32,
    },
}

/// A header as it is read, without its checksum.
pub(super) struct Header {
    pub(super) length: u32,
    pub(super) kind: Kind,
    pub(super) flags: Flags,
    pub(super) stream: u32,
}

impl Header {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, Fault> {
        let length = bytes.get_u32_le();
        let kind = bytes.get_u8();
        let kind = Kind::from_wire(kind).ok_or(Fault::Kind(kind))?;
        let flags = Flags(bytes.get_u8());
        let reserved = bytes.get_u16_le();
        if reserved != 0 {
            return Err(Fault::Reserved(reserved));
        }
        let header = Header {
            length,
            kind,
            flags,
            stream: bytes.get_u32_le(),
        };
        header.check()?;
        Ok(header)
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        let kind = self.kind;
        let (min, max) = kind.payload_bounds();
        if !(min..=max).contains(&self.payload()) {
            return Err(Fault::Length {
                kind,
                length: self.length,
                min,
                max,
            });
        }
        if !kind.flags().has(self.flags) {
            return Err(Fault::Flags {
                kind,
                flags: self.flags.0,
            });
        }
        if !kind.takes_stream(self.stream) {
            return Err(Fault::Stream {
                kind,
                stream: self.stream,
            });
        }
        Ok(())
    }

    pub(super) fn payload(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }
}
