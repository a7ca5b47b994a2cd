use crate::error::Error;

/// Reads one message body from front to back. Every read is checked; a failure names the message and the offset.
pub(crate) struct Cursor<'a> {
    tag: u8,
    body: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(tag: u8, body: &'a [u8]) -> Self {
        Cursor { tag, body, offset: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn malformed(&self, expected: &'static str) -> Error {
        Error::Malformed {
            tag: char::from(self.tag),
            offset: self.offset,
            expected,
        }
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize, expected: &'static str) -> Result<&'a [u8], Error> {
        let taken = self
            .body
            .get(self.offset..)
            .and_then(|rest| rest.get(..count))
            .ok_or_else(|| self.malformed(expected))?;
        self.offset += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, expected)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self, expected: &'static str) -> Result<u8, Error> {
        Ok(u8::from_be_bytes(self.array(expected)?))
    }

    pub(crate) fn u16(&mut self, expected: &'static str) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array(expected)?))
    }

    pub(crate) fn i32(&mut self, expected: &'static str) -> Result<i32, Error> {
        Ok(i32::from_be_bytes(self.array(expected)?))
    }

    pub(crate) fn i64(&mut self, expected: &'static str) -> Result<i64, Error> {
        Ok(i64::from_be_bytes(self.array(expected)?))
    }

    pub(crate) fn u64(&mut self, expected: &'static str) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.array(expected)?))
    }

    /// The bytes up to the next NUL, which is consumed.
    pub(crate) fn cstr(&mut self, expected: &'static str) -> Result<&'a [u8], Error> {
        let rest = self.body.get(self.offset..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(|| self.malformed(expected))?;
        let text = self.take(length, expected)?;
        self.offset += 1;
        Ok(text)
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = self.body.get(self.offset..).unwrap_or_default();
        self.offset = self.body.len();
        rest
    }

    /// Fails unless the body has been read to its end.
    pub(crate) fn end(&self) -> Result<(), Error> {
        if self.offset == self.body.len() {
            Ok(())
        } else {
            Err(self.malformed("the end of the message"))
        }
    }
}
