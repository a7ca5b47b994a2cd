use synapse_wal_types::{Lsn, Oid, PgTimestamp, Xid};

use crate::Error;

/// The one reader of bytes: it knows its offset, checks every step and borrows what it returns.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes, offset: 0 }
    }

    /// Bytes already read, which is where the next one stands.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not yet read.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Says that the message must end here.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Error::Trailing {
                offset: self.offset,
                left,
            }),
        }
    }

    fn truncated(&self, needed: usize) -> Error {
        Error::Truncated {
            offset: self.offset,
            needed,
            left: self.rest.len(),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.truncated(N))?;
        self.rest = rest;
        self.offset += N;
        Ok(*head)
    }

    /// The next `count` bytes, borrowed from the input.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.truncated(count))?;
        self.rest = rest;
        self.offset += count;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Error> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn lsn(&mut self) -> Result<Lsn, Error> {
        Ok(Lsn(u64::from_be_bytes(self.array()?)))
    }

    pub(crate) fn timestamp(&mut self) -> Result<PgTimestamp, Error> {
        Ok(PgTimestamp(i64::from_be_bytes(self.array()?)))
    }

    pub(crate) fn xid(&mut self) -> Result<Xid, Error> {
        Ok(Xid(self.u32()?))
    }

    pub(crate) fn oid(&mut self) -> Result<Oid, Error> {
        Ok(Oid(self.u32()?))
    }

    /// A count of bytes (`int32`) and that many bytes.
    pub(crate) fn counted(&mut self) -> Result<&'a [u8], Error> {
        let offset = self.offset;
        let length = self.i32()?;
        let count = usize::try_from(length).map_err(|_| Error::NegativeLength { offset, length })?;
        self.take(count)
    }

    /// A string up to its zero byte, which is consumed and not returned.
    pub(crate) fn string(&mut self) -> Result<&'a str, Error> {
        let offset = self.offset;
        let length = self
            .rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or(Error::Unterminated { offset })?;
        let bytes = self.take(length)?;
        self.u8()?;
        std::str::from_utf8(bytes).map_err(|source| Error::NotUtf8 { offset, source })
    }

    /// A byte that must be one of those `known` recognises; anything else is an error that says what was `expected`.
    pub(crate) fn one_of<T>(
        &mut self,
        expected: &'static str,
        known: impl FnOnce(u8) -> Option<T>,
    ) -> Result<T, Error> {
        let offset = self.offset;
        let byte = self.u8()?;
        known(byte).ok_or(Error::UnexpectedByte { offset, byte, expected })
    }

    /// A byte of flags of which none is defined yet.
    pub(crate) fn no_flags(&mut self) -> Result<(), Error> {
        self.one_of("flags 0", |byte| (byte == 0).then_some(()))
    }
}
