use std::borrow::Cow;
use std::cell::RefCell;

use rkyv::util::AlignedVec;
use zstd::bulk::{Compressor, Decompressor};

use crate::error::{Error, Result};
use crate::header::{ALIGNMENT, RAW_BYTES_MAX, malformed};

/// Higher levels buy little on rows and cost much (level 3 halves the speed).
const LEVEL: i32 = 1;

/// A smaller payload is stored as it is: the tables of a frame cost more than the few hundred bytes they save, for whoever
/// writes the block and for everybody who reads it. Of a busy stream blocks hold many transactions.
const WORTH_COMPRESSING: usize = 1_024;

/// A payload as it is stored, its size before, and whether it was compressed.
pub(crate) struct Packed<'a> {
    pub(crate) stored: Cow<'a, [u8]>,
    pub(crate) raw_bytes: u32,
    pub(crate) stored_bytes: u32,
    pub(crate) compressed: bool,
}

thread_local! {
    /// A context is half a megabyte of tables: made once per thread, not once per block.
    static COMPRESSOR: RefCell<Compressor<'static>> =
        RefCell::new(Compressor::new(LEVEL).expect("level 1 is a level of zstd"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("a decompressor needs memory only"));
}

/// Compresses `raw` when that makes it smaller, and is worth it.
pub(crate) fn pack(raw: &[u8]) -> Result<Packed<'_>> {
    let too_large = || Error::TooLarge {
        bytes: raw.len() as u64,
        limit: u64::from(RAW_BYTES_MAX),
    };
    let raw_bytes = u32::try_from(raw.len())
        .ok()
        .filter(|bytes| *bytes <= RAW_BYTES_MAX)
        .ok_or_else(too_large)?;
    if raw.len() >= WORTH_COMPRESSING {
        let frame = COMPRESSOR
            .with_borrow_mut(|compressor| compressor.compress(raw))
            .expect("the buffer has the size that zstd asks for");
        if let Some(stored_bytes) = u32::try_from(frame.len()).ok().filter(|bytes| *bytes < raw_bytes) {
            return Ok(Packed {
                stored: Cow::Owned(frame),
                raw_bytes,
                stored_bytes,
                compressed: true,
            });
        }
    }
    Ok(Packed {
        stored: Cow::Borrowed(raw),
        raw_bytes,
        stored_bytes: raw_bytes,
        compressed: false,
    })
}

/// The payload that was packed, aligned for reading in place. `raw_bytes` was checked against the limit.
pub(crate) fn unpack(stored: &[u8], raw_bytes: u32, compressed: bool) -> Result<AlignedVec<ALIGNMENT>> {
    let raw_bytes = raw_bytes as usize;
    let mut raw = AlignedVec::with_capacity(raw_bytes);
    if compressed {
        raw.resize(raw_bytes, 0);
        let length = DECOMPRESSOR
            .with_borrow_mut(|decompressor| decompressor.decompress_to_buffer(stored, &mut raw[..]))
            .map_err(|_| malformed(crate::BlockHeader::LENGTH, "the payload does not decompress"))?;
        if length != raw_bytes {
            return Err(malformed(
                crate::BlockHeader::LENGTH,
                "the payload has not the size its header tells",
            ));
        }
    } else {
        raw.extend_from_slice(stored);
    }
    Ok(raw)
}
