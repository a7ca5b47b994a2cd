//! Records as `pg_waldump --bkp-details` and `pg_walinspect` show them.

use std::fmt::Write;

use synapse_wal_xlog::{BlockRef, Compression, Image, Record, Rmgr, Version};

use crate::described::describe;

/// A record, by what both ways of showing one have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) lsn: String,
    pub(crate) previous: String,
    pub(crate) rmgr: String,
    pub(crate) name: String,
    pub(crate) xid: u32,
    /// Bytes without and with page images.
    pub(crate) lengths: (u32, u32),
    /// References as they are printed, one behind the other.
    pub(crate) blocks: String,
    /// What it says, for those resource managers whose records this crate reads.
    pub(crate) description: Option<String>,
}

/// Whether records of a resource manager are described here.
pub(crate) fn is_described(rmgr: &str) -> bool {
    ["XLOG", "Transaction", "Storage", "Database"].contains(&rmgr)
}

impl Shown {
    pub(crate) fn of(record: &Record<'_>) -> Shown {
        let mut blocks = String::new();
        for block in record.block_refs() {
            let gap = if blocks.is_empty() { "" } else { " " };
            write!(blocks, "{gap}{}", block_text(&block, record.version)).unwrap();
        }
        let rmgr = record.rmgr().to_string();
        Shown {
            lsn: record.lsn.to_string(),
            previous: record.previous().to_string(),
            name: record.kind().display(record.version).to_string(),
            xid: record.xid().0,
            lengths: (record.total_bytes() - record.image_bytes(), record.total_bytes()),
            blocks,
            description: is_described(&rmgr).then(|| describe(record)),
            rmgr,
        }
    }
}

fn block_text(block: &BlockRef<'_>, version: Version) -> String {
    let BlockRef {
        id,
        relation,
        fork,
        block: number,
        ..
    } = block;
    let image = block.image.map_or(String::new(), |image| image_text(&image, version));
    format!("blkref #{id}: rel {relation} fork {fork} blk {number}{image}")
}

fn image_text(image: &Image<'_>, version: Version) -> String {
    let purpose = if image.is_applied { "" } else { " for WAL verification" };
    let mut text = format!(
        " (FPW{purpose}); hole: offset: {}, length: {}",
        image.hole.offset, image.hole.length
    );
    let saved = 8192 - usize::from(image.hole.length) - image.bytes.len();
    match image.compression {
        Compression::None => {}
        Compression::Pglz | Compression::Lz4 | Compression::Zstd if version == Version::V14 => {
            write!(text, ", compression saved: {saved}").unwrap();
        }
        method @ (Compression::Pglz | Compression::Lz4 | Compression::Zstd) => {
            let method = format!("{method:?}").to_lowercase();
            write!(text, ", compression saved: {saved}, method: {method}").unwrap();
        }
    }
    text
}

/// Everything that both name by the same words.
pub(crate) const ALL_RMGRS: std::ops::RangeInclusive<u8> = 0..=Rmgr::LOGICAL_MESSAGE.0;
