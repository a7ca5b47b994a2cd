use bytes::Bytes;
use rkyv::rancor;
use synapse_engine_change::{Block, Part};
use synapse_engine_identity::{Hlc, Origin};
use synapse_wal_types::Lsn;

use crate::compress::{pack, unpack};
use crate::error::{Error, Result};
use crate::header::{ALIGNMENT, BlockHeader, Kind, RAW_BYTES_MAX, malformed, seal, verify};
use crate::v1;

/// One block as it stands on disk and travels to peers: checked bytes and their header. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedBlock {
    header: BlockHeader,
    bytes: Bytes,
}

impl EncodedBlock {
    /// Takes bytes that came from elsewhere, and checks them.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn from_bytes(bytes: Bytes) -> Result<Self> {
        let header = verify(&bytes)?;
        Ok(EncodedBlock { header, bytes })
    }

    /// What it says of itself.
    #[must_use]
    pub const fn header(&self) -> &BlockHeader {
        &self.header
    }

    /// Header, payload and padding.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The transactions in it.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn decode(&self) -> Result<Block> {
        let payload = unpack(
            stored(&self.header, &self.bytes),
            self.header.raw_bytes,
            self.header.compressed,
        )?;
        match self.header.kind {
            Kind::Transactions => {}
            Kind::Progress | Kind::Mark | Kind::Blank => return Err(malformed(6, "a block without transactions")),
        }
        let block = rkyv::access::<v1::ArchivedTransactions, rancor::Error>(&payload)
            .map_err(|_| malformed(BlockHeader::LENGTH, "the payload is no archive of transactions"))?
            .to_block(self.header.origin)?;
        if summary(&block) == Some(Summary::of(&self.header)) {
            Ok(block)
        } else {
            Err(malformed(40, "the header does not describe the payload"))
        }
    }
}

/// Encodes, compresses and checksums a block, once for disk and all peers.
///
/// # Errors
/// [`Error::TooLarge`] over [`crate::RAW_BYTES_MAX`]; [`Error::Invalid`] when transactions or changes are out of order.
pub fn encode_block(block: &Block) -> Result<EncodedBlock> {
    let twin = v1::Transactions::of(block)?;
    let summary = summary(block).ok_or(Error::Invalid {
        what: "it has no transaction",
    })?;
    let payload = archive(&twin)?;
    let header = BlockHeader {
        kind: Kind::Transactions,
        origin: block.origin,
        first: summary.first,
        last: summary.last,
        last_hlc: summary.last_hlc,
        part: summary.part,
        transactions: summary.transactions,
        raw_bytes: 0,
        stored_bytes: 0,
        compressed: false,
    };
    frame(header, &payload)
}

/// Checks `bytes` and reads the transactions in them.
///
/// # Errors
/// [`Error::Malformed`] and [`Error::UnknownVersion`].
pub fn decode(bytes: &[u8]) -> Result<Block> {
    EncodedBlock::from_bytes(Bytes::copy_from_slice(bytes))?.decode()
}

/// A progress item: opaque bytes at a position.
pub(crate) fn encode_progress(origin: Origin, lsn: Lsn, payload: &[u8]) -> Result<EncodedBlock> {
    frame(local(Kind::Progress, origin, lsn, 0), payload)
}

/// A proof that the first `synced` bytes of a segment had reached the disk.
pub(crate) fn encode_mark(origin: Origin, end: Lsn, synced: u64) -> Result<EncodedBlock> {
    frame(local(Kind::Mark, origin, end, synced), &[])
}

/// A filler of `bytes` in all, which are at least a header's and a multiple of the alignment.
pub(crate) fn encode_blank(origin: Origin, end: Lsn, bytes: usize) -> Result<EncodedBlock> {
    debug_assert!(
        bytes >= BlockHeader::LENGTH && bytes.is_multiple_of(ALIGNMENT),
        "a block is as long"
    );
    let payload = bytes - BlockHeader::LENGTH;
    let length = u32::try_from(payload).unwrap_or(u32::MAX);
    if length > RAW_BYTES_MAX {
        return Err(Error::TooLarge {
            bytes: payload as u64,
            limit: u64::from(RAW_BYTES_MAX),
        });
    }
    let header = BlockHeader {
        raw_bytes: length,
        stored_bytes: length,
        ..local(Kind::Blank, origin, end, 0)
    };
    let mut filler = header.to_bytes().to_vec();
    filler.resize(bytes, 0);
    seal(&mut filler);
    Ok(EncodedBlock {
        header,
        bytes: Bytes::from(filler),
    })
}

/// The bytes that a progress item was made from.
pub(crate) fn decode_progress(block: &EncodedBlock) -> Result<Vec<u8>> {
    let header = &block.header;
    unpack(stored(header, &block.bytes), header.raw_bytes, header.compressed).map(|payload| payload.to_vec())
}

/// Serializes a twin.
pub(crate) fn archive(
    twin: &impl for<'a> rkyv::Serialize<
        rkyv::api::high::HighSerializer<rkyv::util::AlignedVec, rkyv::ser::allocator::ArenaHandle<'a>, rancor::Error>,
    >,
) -> Result<rkyv::util::AlignedVec> {
    rkyv::to_bytes::<rancor::Error>(twin).map_err(|_| Error::TooLarge {
        bytes: u64::from(u32::MAX),
        limit: u64::from(crate::RAW_BYTES_MAX),
    })
}

fn frame(header: BlockHeader, payload: &[u8]) -> Result<EncodedBlock> {
    let packed = pack(payload)?;
    let header = BlockHeader {
        raw_bytes: packed.raw_bytes,
        stored_bytes: packed.stored_bytes,
        compressed: packed.compressed,
        ..header
    };
    let mut bytes = Vec::with_capacity(header.block_bytes());
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(&packed.stored);
    bytes.resize(header.block_bytes(), 0);
    seal(&mut bytes);
    Ok(EncodedBlock {
        header,
        bytes: Bytes::from(bytes),
    })
}

const fn local(kind: Kind, origin: Origin, lsn: Lsn, number: u64) -> BlockHeader {
    BlockHeader {
        kind,
        origin,
        first: lsn,
        last: lsn,
        last_hlc: Hlc(number),
        part: Part::Whole,
        transactions: 0,
        raw_bytes: 0,
        stored_bytes: 0,
        compressed: false,
    }
}

fn stored<'a>(header: &BlockHeader, bytes: &'a [u8]) -> &'a [u8] {
    &bytes[BlockHeader::LENGTH..][..header.stored_bytes as usize]
}

/// What a header tells of the payload.
#[derive(PartialEq, Eq)]
struct Summary {
    first: Lsn,
    last: Lsn,
    last_hlc: Hlc,
    part: Part,
    transactions: u32,
}

impl Summary {
    const fn of(header: &BlockHeader) -> Self {
        Summary {
            first: header.first,
            last: header.last,
            last_hlc: header.last_hlc,
            part: header.part,
            transactions: header.transactions,
        }
    }
}

fn summary(block: &Block) -> Option<Summary> {
    let (first, last) = (block.transactions.first()?, block.transactions.last()?);
    Some(Summary {
        first: first.lsn,
        last: last.lsn,
        last_hlc: last.hlc,
        part: last.part,
        transactions: u32::try_from(block.transactions.len()).ok()?,
    })
}

#[cfg(test)]
mod tests;
