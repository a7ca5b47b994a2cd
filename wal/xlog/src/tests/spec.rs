//! Records as a test describes them, and their bytes.

use synapse_wal_types::{Lsn, Oid};

use crate::crc::record_crc;
use crate::{RelFileLocator, Rmgr};

pub(super) const RELATION: RelFileLocator = RelFileLocator {
    tablespace: Oid(1663),
    database: Oid(5),
    number: Oid(16384),
};

#[derive(Clone, Debug, Default)]
pub(super) struct RecordSpec {
    pub(super) rmgr: u8,
    pub(super) info: u8,
    pub(super) xid: u32,
    pub(super) origin: Option<u16>,
    pub(super) top_level: Option<u32>,
    pub(super) blocks: Vec<BlockSpec>,
    pub(super) main: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct BlockSpec {
    pub(super) id: u8,
    /// `None` for the relation of the block before.
    pub(super) relation: Option<RelFileLocator>,
    pub(super) fork: u8,
    pub(super) block: u32,
    pub(super) image: Option<ImageSpec>,
    pub(super) data: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ImageSpec {
    pub(super) bytes: Vec<u8>,
    pub(super) hole_offset: u16,
    pub(super) info: u8,
    pub(super) hole_length: Option<u16>,
}

impl RecordSpec {
    pub(super) fn new(rmgr: Rmgr, info: u8, main: &[u8]) -> RecordSpec {
        RecordSpec {
            rmgr: rmgr.0,
            info,
            main: main.to_vec(),
            ..RecordSpec::default()
        }
    }

    /// A logical message of this many bytes in all.
    pub(super) fn sized(total: usize, seed: u8) -> RecordSpec {
        let main = match total - 24 {
            0 => 0,
            short @ 2..=257 => short - 2,
            long => long - 5,
        };
        let bytes: Vec<u8> = (0..main).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect();
        RecordSpec {
            xid: u32::from(seed),
            ..RecordSpec::new(Rmgr::LOGICAL_MESSAGE, 0, &bytes)
        }
    }

    pub(super) fn block(mut self, block: BlockSpec) -> RecordSpec {
        self.blocks.push(block);
        self
    }

    pub(super) fn encode(&self, previous: Lsn) -> Vec<u8> {
        let (mut headers, mut payload) = (Vec::new(), Vec::new());
        for block in &self.blocks {
            block.encode(&mut headers, &mut payload);
        }
        if let Some(origin) = self.origin {
            headers.push(253);
            headers.extend(origin.to_le_bytes());
        }
        if let Some(xid) = self.top_level {
            headers.push(252);
            headers.extend(xid.to_le_bytes());
        }
        match self.main.len() {
            0 => {}
            short @ ..=255 => headers.extend([255, short as u8]),
            long => {
                headers.push(254);
                headers.extend((long as u32).to_le_bytes());
            }
        }
        payload.extend(&self.main);
        headers.extend(payload);
        raw(self.rmgr, self.info, self.xid, previous, &headers)
    }
}

/// A record around bytes that need not make sense, with a CRC that does.
pub(super) fn raw(rmgr: u8, info: u8, xid: u32, previous: Lsn, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((24 + body.len() as u32).to_le_bytes());
    bytes.extend(xid.to_le_bytes());
    bytes.extend(previous.0.to_le_bytes());
    bytes.extend([info, rmgr, 0, 0, 0, 0, 0, 0]);
    bytes.extend(body);
    seal(&mut bytes);
    bytes
}

/// Sets the CRC of a record right.
pub(super) fn seal(bytes: &mut [u8]) {
    let crc = record_crc(bytes);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
}

impl BlockSpec {
    pub(super) fn of(id: u8, relation: RelFileLocator, fork: u8, block: u32) -> BlockSpec {
        BlockSpec {
            id,
            relation: Some(relation),
            fork,
            block,
            ..BlockSpec::default()
        }
    }

    fn encode(&self, headers: &mut Vec<u8>, payload: &mut Vec<u8>) {
        let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let flags = self.fork
            | flag(self.image.is_some(), 0x10)
            | flag(!self.data.is_empty(), 0x20)
            | flag(self.relation.is_none(), 0x80);
        headers.extend([self.id, flags]);
        headers.extend((self.data.len() as u16).to_le_bytes());
        if let Some(image) = &self.image {
            headers.extend((image.bytes.len() as u16).to_le_bytes());
            headers.extend(image.hole_offset.to_le_bytes());
            headers.push(image.info);
            headers.extend(image.hole_length.iter().flat_map(|length| length.to_le_bytes()));
            payload.extend(&image.bytes);
        }
        if let Some(relation) = self.relation {
            for part in [relation.tablespace, relation.database, relation.number] {
                headers.extend(part.0.to_le_bytes());
            }
        }
        headers.extend(self.block.to_le_bytes());
        payload.extend(&self.data);
    }
}
