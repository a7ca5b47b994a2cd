use super::Change;
use crate::cursor::Cursor;
use crate::storage::Truncation;
use crate::{BLOCK_BYTES, BlockNumber, Fault, Fork, Record, RelFileLocator, Rmgr};

/// Bytes of a page that are no map: the page's header, aligned.
const PAGE_HEADER_BYTES: u32 = 24;
/// Heap blocks that one byte of the map speaks of.
const BLOCKS_PER_BYTE: u32 = 4;
/// Heap blocks that one block of the map speaks of (`HEAPBLOCKS_PER_PAGE`, `access/heap/visibilitymap.c`): 32,672.
const BLOCKS_PER_MAP_BLOCK: u32 = (BLOCK_BYTES as u32 - PAGE_HEADER_BYTES) * BLOCKS_PER_BYTE;

/// The bit of an operation on a page that it makes anew (`XLOG_HEAP_INIT_PAGE`).
const INITIALIZES: u8 = 0x80;

/// Where a heap record's flags stand in its main data, and what they say of the visibility map
/// (`access/heapam_xlog.h`).
struct Flags {
    offset: usize,
    /// The bit that says that the bits of the block with id 0 are cleared.
    first: u8,
    /// The same of the block with id 1, or of the first one when there is no other.
    second: u8,
}

fn flags(record: &Record<'_>) -> Option<Flags> {
    let operation = record.kind().operation() & !INITIALIZES;
    let (offset, first, second) = match (record.rmgr(), operation) {
        // An insert.
        (Rmgr::HEAP, 0x00) => (2, 0x01, 0),
        // A delete.
        (Rmgr::HEAP, 0x10) => (7, 0x01, 0),
        // An update, hot or not: block 0 has the new row, block 1 the old one.
        (Rmgr::HEAP, 0x20 | 0x40) => (7, 0x02, 0x01),
        // A lock, which clears the frozen bit.
        (Rmgr::HEAP, 0x60) | (Rmgr::HEAP2, 0x60) => (7, 0x01, 0),
        // Many inserts.
        (Rmgr::HEAP2, 0x50) => (0, 0x01, 0),
        _ => return None,
    };
    Some(Flags { offset, first, second })
}

/// The blocks of the visibility map that a heap record changes without naming them.
pub(super) fn of_heap(record: &Record<'_>, tell: &mut impl FnMut(Change)) -> Result<(), Fault> {
    let Some(flags) = flags(record) else { return Ok(()) };
    let mut cursor = Cursor::new("change of a heap", record.main_data());
    cursor.take(flags.offset)?;
    let cleared = cursor.u8()?;
    if cleared & (flags.first | flags.second) == 0 {
        return Ok(());
    }
    let mut heap = record
        .block_refs()
        .filter(|named| named.fork == Fork::Main && named.id <= 1);
    let Some(new) = heap.next() else {
        return Err(cursor.field(1, "no cleared visibility without a block", cleared));
    };
    let old = heap.next().unwrap_or(new);
    for (bit, named) in [(flags.first, new), (flags.second, old)] {
        if cleared & bit != 0 {
            tell(modified(named.relation, named.block.0 / BLOCKS_PER_MAP_BLOCK));
        }
    }
    Ok(())
}

/// What becomes of the visibility map of a relation that is cut (`visibilitymap_prepare_truncate`).
pub(super) fn of_truncation(truncation: &Truncation, tell: &mut impl FnMut(Change)) {
    let blocks = truncation.blocks.0;
    tell(Change::Limited {
        relation: truncation.relation,
        fork: Fork::VisibilityMap,
        blocks: BlockNumber(blocks.div_ceil(BLOCKS_PER_MAP_BLOCK)),
    });
    if !blocks.is_multiple_of(BLOCKS_PER_MAP_BLOCK) {
        tell(modified(truncation.relation, blocks / BLOCKS_PER_MAP_BLOCK));
    }
}

fn modified(relation: RelFileLocator, block: u32) -> Change {
    Change::Modified {
        relation,
        fork: Fork::VisibilityMap,
        block: BlockNumber(block),
    }
}
