use synapse_engine_change::Part;
use synapse_engine_identity::{Hlc, Incarnation, NodeId, Origin};
use synapse_wal_types::Lsn;

use crate::error::{Error, Result};

/// The version stands apart from it.
const MAGIC: [u8; 4] = *b"SYNB";
/// The only format of blocks so far.
pub(crate) const VERSION: u16 = 1;
const FLAG_COMPRESSED: u8 = 1;
const PART_SHIFT: u8 = 1;
/// Where the CRC stands, four bytes.
const CRC_AT: usize = 8;

/// Blocks begin and end at multiples of this, so that an archive can be read where it lies.
pub const ALIGNMENT: usize = 16;
/// Most that a block holds before compression, in bytes. A block closes far earlier; only a single row may come near.
pub const RAW_BYTES_MAX: u32 = 64 << 20;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Transactions of the log's origin.
    Transactions,
    /// The kernel's progress item; it concerns one disk only and is never shipped.
    Progress,
    /// No payload: proof that a part of the segment had reached the disk. It concerns one file only.
    Mark,
    /// Nothing: it fills what is left of the place of damaged blocks when all that anybody needs of them is back.
    Blank,
}

/// The 80 bytes before every payload, which tell a receiver all it needs to place a block without decoding it.
///
/// ```text
///  0 magic    4 version   6 kind     7 flags     8 crc        12 incarnation   16 node (24, zero-padded)
/// 40 first   48 last     56 transactions        60 part      64 raw bytes     68 stored bytes     72 hlc
/// ```
/// Little-endian. The CRC is that of the whole block, padding included, with zeros in its own place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// What the block holds.
    pub kind: Kind,
    /// Whose.
    pub origin: Origin,
    /// The first transaction, or the position of a progress item.
    pub first: Lsn,
    /// The last transaction; the first one again for a part of one, and for a progress item.
    pub last: Lsn,
    /// The last transaction's time; for a mark, how many bytes of its segment had reached the disk.
    pub last_hlc: Hlc,
    /// Whether the one transaction continues in the next block, or began in the one before.
    pub part: Part,
    /// How many transactions.
    pub transactions: u32,
    /// Size of the payload before compression, in bytes; at most [`RAW_BYTES_MAX`].
    pub raw_bytes: u32,
    /// Size of the payload as stored, in bytes, without the padding.
    pub stored_bytes: u32,
    /// Whether the payload is a zstd frame.
    pub compressed: bool,
}

impl BlockHeader {
    /// Size of a header, in bytes.
    pub const LENGTH: usize = 80;

    /// Reads the header at the start of `bytes`. The payload may be missing, and the CRC is not looked at.
    ///
    /// # Errors
    /// [`Error::Malformed`] or [`Error::UnknownVersion`].
    pub fn parse(bytes: &[u8]) -> Result<BlockHeader> {
        let Some(bytes) = bytes.first_chunk::<{ Self::LENGTH }>() else {
            return Err(malformed(bytes.len(), "it ends inside its header"));
        };
        if bytes[..4] != MAGIC {
            return Err(malformed(0, "no block begins here"));
        }
        let version = u16::from_le_bytes(field(bytes, 4));
        if version != VERSION {
            return Err(Error::UnknownVersion {
                what: "a journal block",
                version,
                known: VERSION,
            });
        }
        let kind = match bytes[6] {
            0 => Kind::Transactions,
            1 => Kind::Progress,
            2 => Kind::Mark,
            3 => Kind::Blank,
            _ => return Err(malformed(6, "unknown kind")),
        };
        let number = u32::from_le_bytes(field(bytes, 60));
        let part = match (bytes[7] >> PART_SHIFT, number) {
            (0, 0) => Part::Whole,
            (1, number) => Part::Middle(number),
            (2, number) if number > 0 => Part::Last(number),
            _ => return Err(malformed(7, "unknown flags")),
        };
        let header = BlockHeader {
            kind,
            origin: parse_origin(&field(bytes, 16), u32::from_le_bytes(field(bytes, 12)))
                .ok_or_else(|| malformed(16, "not the name of a node"))?,
            first: Lsn(u64::from_le_bytes(field(bytes, 40))),
            last: Lsn(u64::from_le_bytes(field(bytes, 48))),
            last_hlc: Hlc(u64::from_le_bytes(field(bytes, 72))),
            part,
            transactions: u32::from_le_bytes(field(bytes, 56)),
            raw_bytes: u32::from_le_bytes(field(bytes, 64)),
            stored_bytes: u32::from_le_bytes(field(bytes, 68)),
            compressed: bytes[7] & FLAG_COMPRESSED != 0,
        };
        header.check().map(|()| header)
    }

    /// Size of the whole block, header and padding included, in bytes: a multiple of [`ALIGNMENT`].
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        (Self::LENGTH + self.stored_bytes as usize).next_multiple_of(ALIGNMENT)
    }

    /// Whether a transaction begins in this block: it is not the continuation of one.
    #[must_use]
    pub fn begins(&self) -> bool {
        matches!(self.part, Part::Whole | Part::Middle(0))
    }

    fn check(&self) -> Result<()> {
        if self.first > self.last {
            return Err(malformed(40, "the first transaction comes after the last"));
        }
        if self.raw_bytes > RAW_BYTES_MAX {
            return Err(malformed(64, "the payload is larger than a block may be"));
        }
        let smaller = self.stored_bytes < self.raw_bytes;
        if self.compressed != smaller || self.stored_bytes > self.raw_bytes {
            return Err(malformed(68, "the sizes of the payload disagree"));
        }
        let whole = self.part == Part::Whole;
        let fits = match self.kind {
            Kind::Transactions if whole => self.transactions > 0 && self.raw_bytes > 0,
            Kind::Transactions => self.transactions == 1 && self.first == self.last && self.raw_bytes > 0,
            Kind::Progress => self.transactions == 0 && self.first == self.last && whole,
            Kind::Mark => self.transactions == 0 && self.first == self.last && whole && self.raw_bytes == 0,
            Kind::Blank => self.transactions == 0 && self.first == self.last && whole && !self.compressed,
        };
        if fits {
            Ok(())
        } else {
            Err(malformed(56, "the header contradicts itself"))
        }
    }

    /// The header's bytes with a CRC of zero.
    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let (part, number) = match self.part {
            Part::Whole => (0, 0),
            Part::Middle(number) => (1, number),
            Part::Last(number) => (2, number),
        };
        let mut bytes = [0; Self::LENGTH];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6] = match self.kind {
            Kind::Transactions => 0,
            Kind::Progress => 1,
            Kind::Mark => 2,
            Kind::Blank => 3,
        };
        bytes[7] = u8::from(self.compressed) | part << PART_SHIFT;
        bytes[12..16].copy_from_slice(&self.origin.incarnation.0.to_le_bytes());
        bytes[16..40].copy_from_slice(&node_bytes(self.origin.node));
        bytes[40..48].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.last.0.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.transactions.to_le_bytes());
        bytes[60..64].copy_from_slice(&number.to_le_bytes());
        bytes[64..68].copy_from_slice(&self.raw_bytes.to_le_bytes());
        bytes[68..72].copy_from_slice(&self.stored_bytes.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.last_hlc.0.to_le_bytes());
        bytes
    }
}

/// Reads the header of the block that `bytes` are, and checks their CRC and their length.
///
/// # Errors
/// [`Error::Malformed`] when they are not exactly one sound block; [`Error::UnknownVersion`].
pub fn verify(bytes: &[u8]) -> Result<BlockHeader> {
    let header = BlockHeader::parse(bytes)?;
    if bytes.len() != header.block_bytes() {
        return Err(malformed(bytes.len(), "its length is not the one its header tells"));
    }
    if u32::from_le_bytes(field(bytes, CRC_AT)) != checksum(bytes) {
        return Err(malformed(CRC_AT, "the checksum does not match"));
    }
    Ok(header)
}

/// Whether the block of an unknown version at the start of `bytes` is sound. Magic, version, CRC and stored size stand
/// at the same places in every version, so that what a newer version wrote is refused and never taken for a torn tail.
pub(crate) fn is_intact(bytes: &[u8]) -> bool {
    if bytes.len() < BlockHeader::LENGTH || bytes[..4] != MAGIC {
        return false;
    }
    let stored = u32::from_le_bytes(field(bytes, 68)) as usize;
    bytes
        .get(..(BlockHeader::LENGTH + stored).next_multiple_of(ALIGNMENT))
        .is_some_and(|block| u32::from_le_bytes(field(block, CRC_AT)) == checksum(block))
}

/// Whether a block may begin here.
pub(crate) fn begins_like_a_block(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Writes the CRC of a finished block into its place.
pub(crate) fn seal(block: &mut [u8]) {
    let crc = checksum(block);
    block[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}

/// A node's name in its fixed field.
pub(crate) fn node_bytes(node: NodeId) -> [u8; NodeId::LENGTH_MAX] {
    let mut bytes = [0; NodeId::LENGTH_MAX];
    let name = node.as_str().as_bytes();
    bytes[..name.len()].copy_from_slice(name);
    bytes
}

/// The origin in a pair of fixed fields, if they hold one.
pub(crate) fn parse_origin(node: &[u8; NodeId::LENGTH_MAX], incarnation: u32) -> Option<Origin> {
    let length = node.iter().position(|byte| *byte == 0).unwrap_or(node.len());
    let (name, padding) = node.split_at(length);
    let node = std::str::from_utf8(name).ok()?.parse().ok()?;
    padding.iter().all(|byte| *byte == 0).then_some(Origin {
        node,
        incarnation: Incarnation(incarnation),
    })
}

fn checksum(block: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&block[..CRC_AT]);
    hasher.update(&[0; 4]);
    hasher.update(&block[CRC_AT + 4..]);
    hasher.finalize()
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..]
        .first_chunk()
        .expect("fields lie inside the header, whose length was checked")
}

pub(crate) const fn malformed(offset: usize, what: &'static str) -> Error {
    Error::Malformed { offset, what }
}

#[cfg(test)]
mod tests;
