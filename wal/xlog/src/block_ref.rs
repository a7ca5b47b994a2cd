use crate::cursor::Cursor;
use crate::{BLOCK_BYTES, BlockNumber, Fault, Fork, RelFileLocator, Version};

/// The largest id of a block reference (`XLR_MAX_BLOCK_ID`), so that a record has 33 at most.
pub(crate) const BLOCK_ID_MAX: u8 = 32;

const FORK: u8 = 0x0F;
const HAS_IMAGE: u8 = 0x10;
const HAS_DATA: u8 = 0x20;
const WILL_INIT: u8 = 0x40;
const SAME_RELATION: u8 = 0x80;

/// A block that a record changes, with what is needed to do it again (`DecodedBkpBlock`, `access/xlogreader.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef<'a> {
    /// Its number within the record, 0 to 32; ids grow and may leave gaps.
    pub id: u8,
    /// Whose block.
    pub relation: RelFileLocator,
    /// Of which fork.
    pub fork: Fork,
    /// Which block.
    pub block: BlockNumber,
    /// Replay makes the page anew and needs nothing of its former contents (`BKPBLOCK_WILL_INIT`).
    pub is_initialized: bool,
    /// The page as it was, or is to be.
    pub image: Option<Image<'a>>,
    /// The operation's own data about this block; may be empty.
    pub data: &'a [u8],
}

/// A full-page image (`XLogRecordBlockImageHeader`, `access/xlogrecord.h`). The page is the image, decompressed, with
/// `hole` zeros put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// The stored bytes, compressed or not.
    pub bytes: &'a [u8],
    /// How they are compressed.
    pub compression: Compression,
    /// The zeros that were left out.
    pub hole: Hole,
    /// Replay puts the image in place; otherwise it is there for consistency checks alone (`BKPIMAGE_APPLY`).
    pub is_applied: bool,
}

/// A run of zeros in a page. Law: `offset + length` is at most [`BLOCK_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Bytes before it.
    pub offset: u16,
    /// Its bytes; 0 when there is none.
    pub length: u16,
}

/// How an image is stored (`wal_compression`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum Compression {
    None,
    Pglz,
    Lz4,
    Zstd,
}

/// What `bimg_info` means; version 15 gave its bits new meanings.
struct ImageFlags {
    has_hole: bool,
    is_applied: bool,
    compression: Compression,
}

impl ImageFlags {
    fn new(info: u8, version: Version) -> ImageFlags {
        let (applied, compression) = if version < Version::V15 {
            let compression = if info & 0x02 != 0 {
                Compression::Pglz
            } else {
                Compression::None
            };
            (info & 0x04, compression)
        } else {
            let compression = match info & 0x1C {
                0 => Compression::None,
                bits if bits & 0x04 != 0 => Compression::Pglz,
                bits if bits & 0x08 != 0 => Compression::Lz4,
                _ => Compression::Zstd,
            };
            (info & 0x02, compression)
        };
        ImageFlags {
            has_hole: info & 0x01 != 0,
            is_applied: applied != 0,
            compression,
        }
    }
}

/// The fixed part of a block reference, without the bytes that stand at the record's end.
pub(crate) struct BlockHeader {
    pub(crate) relation: RelFileLocator,
    fork: Fork,
    block: BlockNumber,
    is_initialized: bool,
    image: Option<ImageHeader>,
    data_bytes: u16,
}

struct ImageHeader {
    bytes: u16,
    hole: Hole,
    flags: ImageFlags,
}

impl BlockHeader {
    /// Reads what follows the id; `before` is the relation of the reference before it (`DecodeXLogRecord`,
    /// `access/transam/xlogreader.c`).
    #[inline(always)]
    pub(crate) fn read(
        cursor: &mut Cursor<'_>,
        version: Version,
        before: Option<RelFileLocator>,
    ) -> Result<BlockHeader, Fault> {
        let flags = cursor.u8()?;
        let fork = Fork::from_number(u32::from(flags & FORK))
            .ok_or_else(|| cursor.field(1, "a fork from 0 to 3", flags & FORK))?;
        let data_bytes = cursor.u16()?;
        if (flags & HAS_DATA != 0) != (data_bytes != 0) {
            return Err(cursor.field(2, "a length that is 0 exactly where the flags say so", data_bytes));
        }
        let image = match flags & HAS_IMAGE {
            0 => None,
            _ => Some(ImageHeader::read(cursor, version)?),
        };
        let relation = match flags & SAME_RELATION {
            0 => cursor.locator()?,
            _ => before.ok_or_else(|| cursor.field(0, "a relation before one that is the same", flags))?,
        };
        Ok(BlockHeader {
            relation,
            fork,
            block: BlockNumber(cursor.u32()?),
            is_initialized: flags & WILL_INIT != 0,
            image,
            data_bytes,
        })
    }

    /// Bytes of the image, as stored.
    pub(crate) fn image_bytes(&self) -> u32 {
        self.image.as_ref().map_or(0, |image| u32::from(image.bytes))
    }

    /// Bytes at the record's end: image and data.
    pub(crate) fn payload_bytes(&self) -> u32 {
        self.image_bytes() + u32::from(self.data_bytes)
    }

    /// Takes those bytes.
    pub(crate) fn with_payload<'a>(self, id: u8, payload: &mut Cursor<'a>) -> Result<BlockRef<'a>, Fault> {
        let image = match self.image {
            None => None,
            Some(image) => Some(Image {
                bytes: payload.take(usize::from(image.bytes))?,
                compression: image.flags.compression,
                hole: image.hole,
                is_applied: image.flags.is_applied,
            }),
        };
        Ok(BlockRef {
            id,
            relation: self.relation,
            fork: self.fork,
            block: self.block,
            is_initialized: self.is_initialized,
            image,
            data: payload.take(usize::from(self.data_bytes))?,
        })
    }
}

impl ImageHeader {
    fn read(cursor: &mut Cursor<'_>, version: Version) -> Result<ImageHeader, Fault> {
        let bytes = cursor.u16()?;
        let offset = cursor.u16()?;
        let flags = ImageFlags::new(cursor.u8()?, version);
        let is_compressed = flags.compression != Compression::None;
        let length = match (is_compressed, flags.has_hole) {
            (true, true) => cursor.u16()?,
            (true, false) => 0,
            (false, _) => BLOCK_BYTES
                .checked_sub(bytes)
                .ok_or_else(|| cursor.field(5, "an image of at most 8192 bytes", bytes))?,
        };
        if is_compressed && bytes >= BLOCK_BYTES {
            return Err(cursor.field(5, "a compressed image of less than 8192 bytes", bytes));
        }
        let within = offset <= BLOCK_BYTES && length <= BLOCK_BYTES - offset;
        let is_told = if flags.has_hole {
            offset > 0 && length > 0
        } else {
            offset == 0 && length == 0
        };
        if !within || !is_told {
            return Err(cursor.field(3, "a hole within the page exactly where the flags say so", offset));
        }
        Ok(ImageHeader {
            bytes,
            hole: Hole { offset, length },
            flags,
        })
    }
}
