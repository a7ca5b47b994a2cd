use synapse_wal_types::{Lsn, Oid, PgTimestamp, Xid};

use crate::Error;

/// The one writer of bytes, the inverse of `Cursor`.
pub(crate) struct Sink<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Sink<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        Sink { out }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn lsn(&mut self, value: Lsn) {
        self.out.extend_from_slice(&value.0.to_be_bytes());
    }

    pub(crate) fn timestamp(&mut self, value: PgTimestamp) {
        self.out.extend_from_slice(&value.0.to_be_bytes());
    }

    pub(crate) fn xid(&mut self, value: Xid) {
        self.u32(value.0);
    }

    /// The xid that precedes a message inside a stream, nothing outside.
    pub(crate) fn stream_xid(&mut self, value: Option<Xid>) {
        if let Some(xid) = value {
            self.xid(xid);
        }
    }

    pub(crate) fn oid(&mut self, value: Oid) {
        self.u32(value.0);
    }

    /// A count of columns, which the protocol gives 16 bits.
    pub(crate) fn column_count(&mut self, columns: usize) -> Result<(), Error> {
        self.u16(u16::try_from(columns).map_err(|_| Error::TooManyColumns { columns })?);
        Ok(())
    }

    /// A count of bytes (`int32`) and the bytes.
    pub(crate) fn counted(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.i32(i32::try_from(bytes.len()).map_err(|_| Error::ValueTooLong { bytes: bytes.len() })?);
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// A string and its zero byte.
    pub(crate) fn string(&mut self, text: &str) -> Result<(), Error> {
        if let Some(position) = text.bytes().position(|byte| byte == 0) {
            return Err(Error::ZeroInName { position });
        }
        self.out.extend_from_slice(text.as_bytes());
        self.u8(0);
        Ok(())
    }
}
