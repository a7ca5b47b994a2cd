use synapse_wal_types::Xid;

use crate::block_ref::{BLOCK_ID_MAX, BlockHeader, BlockRef};
use crate::cursor::Cursor;
use crate::{Fault, RECORD_HEADER_BYTES, RelFileLocator, Version};

const DATA_SHORT: u8 = 255;
const DATA_LONG: u8 = 254;
const ORIGIN: u8 = 253;
const TOP_LEVEL_XID: u8 = 252;

/// Where the parts of a record stand, once all its lengths have been found to agree (`DecodeXLogRecord`,
/// `access/transam/xlogreader.c`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Bytes before the payload: the record's header and those of its fragments.
    pub(crate) headers: usize,
    /// Bytes of main data, which stand at the record's end.
    pub(crate) main: usize,
    pub(crate) origin: Option<u16>,
    pub(crate) top_level: Option<Xid>,
    pub(crate) image_bytes: u32,
    pub(crate) blocks: u8,
}

/// What a fragment says.
///
/// What reads one is inlined always, here and in `block_ref`: handed over in memory, its parts are read back in other
/// sizes than they were written, and that wait was a quarter of the time of a small record.
enum Fragment {
    Block(u8, BlockHeader),
    Main(usize),
    Origin(u16),
    TopLevel(Xid),
}

impl Fragment {
    #[inline(always)]
    fn read(cursor: &mut Cursor<'_>, version: Version, before: Option<RelFileLocator>) -> Result<Fragment, Fault> {
        match cursor.u8()? {
            DATA_SHORT => Ok(Fragment::Main(usize::from(cursor.u8()?))),
            DATA_LONG => Ok(Fragment::Main(cursor.u32()? as usize)),
            ORIGIN => Ok(Fragment::Origin(cursor.u16()?)),
            TOP_LEVEL_XID => Ok(Fragment::TopLevel(cursor.xid()?)),
            id if id <= BLOCK_ID_MAX => Ok(Fragment::Block(id, BlockHeader::read(cursor, version, before)?)),
            other => Err(cursor.field(1, "a fragment id of 0 to 32 or 252 to 255", other)),
        }
    }
}

impl Layout {
    /// Walks the headers of a record's fragments. `bytes` is the whole record, at least its header long.
    #[inline(always)]
    pub(crate) fn read(bytes: &[u8], version: Version) -> Result<Layout, Fault> {
        let mut cursor = Cursor::new("record", bytes);
        cursor.take(RECORD_HEADER_BYTES)?;
        let mut layout = Layout {
            headers: 0,
            main: 0,
            origin: None,
            top_level: None,
            image_bytes: 0,
            blocks: 0,
        };
        let (mut relation, mut last_id) = (None, None);
        // The headers end where exactly the payload that they promise is left.
        let mut payload = 0;
        while cursor.left() > payload {
            match Fragment::read(&mut cursor, version, relation)? {
                Fragment::Block(id, header) => {
                    if last_id.is_some_and(|last| id <= last) {
                        return Err(cursor.field(0, "block ids that grow", id));
                    }
                    (relation, last_id) = (Some(header.relation), Some(id));
                    payload += header.payload_bytes() as usize;
                    layout.image_bytes += header.image_bytes();
                    layout.blocks += 1;
                }
                Fragment::Origin(origin) => layout.origin = Some(origin),
                Fragment::TopLevel(xid) => layout.top_level = Some(xid),
                // It is always the last one.
                Fragment::Main(bytes) => {
                    layout.main = bytes;
                    payload += bytes;
                    break;
                }
            }
        }
        layout.headers = cursor.offset();
        cursor.take(payload)?;
        cursor.finish()?;
        Ok(layout)
    }
}

/// The block references of a record, in the order of their ids.
#[derive(Clone, Debug)]
pub struct BlockRefs<'a> {
    headers: Cursor<'a>,
    payload: Cursor<'a>,
    version: Version,
    relation: Option<RelFileLocator>,
    left: u8,
}

impl<'a> BlockRefs<'a> {
    /// Of a record whose layout was read.
    pub(crate) fn new(bytes: &'a [u8], layout: &Layout, version: Version) -> BlockRefs<'a> {
        let (headers, payload) = bytes.split_at_checked(layout.headers).unwrap_or((bytes, &[]));
        let headers = headers.get(RECORD_HEADER_BYTES..).unwrap_or(&[]);
        BlockRefs {
            headers: Cursor::new("record", headers),
            payload: Cursor::new("record", payload),
            version,
            relation: None,
            left: layout.blocks,
        }
    }
}

impl<'a> Iterator for BlockRefs<'a> {
    type Item = BlockRef<'a>;

    fn next(&mut self) -> Option<BlockRef<'a>> {
        while self.left > 0 {
            let fragment = Fragment::read(&mut self.headers, self.version, self.relation);
            match fragment.expect("Layout::read has walked the same bytes") {
                Fragment::Block(id, header) => {
                    self.left -= 1;
                    self.relation = Some(header.relation);
                    let block = header.with_payload(id, &mut self.payload);
                    return Some(block.expect("Layout::read has added up the same lengths"));
                }
                Fragment::Origin(_) | Fragment::TopLevel(_) | Fragment::Main(_) => {}
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl ExactSizeIterator for BlockRefs<'_> {}
