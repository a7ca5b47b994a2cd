use synapse_wal_types::{Lsn, Oid, PgTimestamp, TimelineId, Xid};

use crate::{Fault, RelFileLocator};

/// The one reader of bytes: it knows what it reads and where it stands, checks every step and borrows what it returns.
/// Numbers are little-endian: WAL is written in the byte order of its server, and this crate reads that of x86-64 and
/// arm64.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    what: &'static str,
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Cursor {
            what,
            rest: bytes,
            offset: 0,
        }
    }

    /// Bytes already read, which is where the next one stands.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not yet read.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Says that everything must have been read.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Fault::Trailing {
                what: self.what,
                offset: self.offset,
                left,
            }),
        }
    }

    #[cold]
    fn short(&self, needed: usize) -> Fault {
        Fault::Short {
            what: self.what,
            offset: self.offset,
            needed,
            left: self.rest.len(),
        }
    }

    /// A value that stands `back` bytes before the next one is not what it must be.
    #[cold]
    pub(crate) fn field(&self, back: usize, expected: &'static str, found: impl Into<i64>) -> Fault {
        Fault::Field {
            what: self.what,
            offset: self.offset.saturating_sub(back),
            expected,
            found: found.into(),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.short(N))?;
        self.rest = rest;
        self.offset += N;
        Ok(*head)
    }

    /// The next `count` bytes, borrowed from the input.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.short(count))?;
        self.rest = rest;
        self.offset += count;
        Ok(head)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Fault> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Fault> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn lsn(&mut self) -> Result<Lsn, Fault> {
        Ok(Lsn(self.u64()?))
    }

    pub(crate) fn timestamp(&mut self) -> Result<PgTimestamp, Fault> {
        Ok(PgTimestamp(self.i64()?))
    }

    pub(crate) fn xid(&mut self) -> Result<Xid, Fault> {
        Ok(Xid(self.u32()?))
    }

    pub(crate) fn oid(&mut self) -> Result<Oid, Fault> {
        Ok(Oid(self.u32()?))
    }

    pub(crate) fn timeline(&mut self) -> Result<TimelineId, Fault> {
        Ok(TimelineId(self.u32()?))
    }

    #[inline]
    pub(crate) fn locator(&mut self) -> Result<RelFileLocator, Fault> {
        Ok(RelFileLocator {
            tablespace: self.oid()?,
            database: self.oid()?,
            number: self.oid()?,
        })
    }

    /// A C `bool`: zero or not.
    pub(crate) fn flag(&mut self) -> Result<bool, Fault> {
        Ok(self.u8()? != 0)
    }

    /// How many items follow (`int32`).
    pub(crate) fn count(&mut self) -> Result<usize, Fault> {
        let count = self.i32()?;
        usize::try_from(count).map_err(|_| self.field(4, "a count of at least 0", count))
    }

    /// A string up to its zero byte, which is consumed and not returned.
    pub(crate) fn c_string(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.rest.iter().position(|byte| *byte == 0);
        let string = self.take(length.ok_or_else(|| self.short(self.rest.len() + 1))?)?;
        self.u8()?;
        Ok(string)
    }

    /// Passes over bytes until the next one stands at a multiple of 8, at most to the end (`MAXALIGN`).
    pub(crate) fn align(&mut self) -> Result<(), Fault> {
        let padding = self.offset.next_multiple_of(8) - self.offset;
        self.take(padding.min(self.rest.len())).map(|_| ())
    }
}
