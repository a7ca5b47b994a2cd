use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::header::{ALIGNMENT, BlockHeader, RAW_BYTES_MAX, begins_like_a_block, is_intact, verify};
use crate::segment::SegmentHeader;

/// Read ahead, in bytes: small blocks come many at a time, large ones are skipped with a seek.
const READ_AHEAD: usize = 256 << 10;

/// Goes over the blocks of a segment from the front.
pub(crate) struct Walk<'a> {
    path: &'a Path,
    reader: BufReader<&'a File>,
    length: u64,
    offset: u64,
    block: Vec<u8>,
}

/// What stands at a place of a segment.
pub(crate) enum Step {
    /// A block, from here to the next offset.
    Block(BlockHeader),
    /// A damaged mark: it held nothing but a proof.
    LostMark,
    /// The end of the file.
    End,
    /// No block, and why.
    Bad(&'static str),
}

impl<'a> Walk<'a> {
    /// From the first block.
    pub(crate) fn new(path: &'a Path, file: &'a File) -> Result<Self> {
        Self::at(path, file, SegmentHeader::LENGTH)
    }

    /// From the block at `offset`.
    pub(crate) fn at(path: &'a Path, file: &'a File, offset: u64) -> Result<Self> {
        let length = file.metadata().map_err(Error::io("look at", path))?.len();
        let mut reader = BufReader::with_capacity(READ_AHEAD, file);
        reader.seek(SeekFrom::Start(offset)).map_err(Error::io("read", path))?;
        Ok(Walk {
            path,
            reader,
            length,
            offset,
            block: Vec::new(),
        })
    }

    /// Over the first `length` bytes of the file.
    pub(crate) fn within(path: &'a Path, file: &'a File, length: u64) -> Result<Self> {
        Ok(Walk {
            length,
            ..Self::new(path, file)?
        })
    }

    /// Goes on at `offset`.
    pub(crate) fn go_to(&mut self, offset: u64) -> Result<()> {
        self.reader
            .seek(SeekFrom::Start(offset))
            .map_err(Error::io("read", self.path))?;
        self.offset = offset;
        Ok(())
    }

    /// Goes past the damaged blocks that begin here, to the next sound one or the end. Answers how many bytes they are.
    pub(crate) fn skip_damage(&mut self) -> Result<u64> {
        let from = self.offset;
        let next = next_sound_block(self.reader.get_ref(), from, self.length).map_err(Error::io("read", self.path))?;
        self.go_to(next)?;
        Ok(next - from)
    }

    /// Where the next block begins.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Size of the file, in bytes.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// The bytes of the block that [`Self::next_block`] told of.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.block
    }

    /// The next header, unchecked by any CRC. After `Bad` the walk stands still.
    pub(crate) fn next_header(&mut self) -> Result<Step> {
        let left = self.length - self.offset;
        if left == 0 {
            return Ok(Step::End);
        }
        self.block.clear();
        let wanted = BlockHeader::LENGTH as u64;
        (&mut self.reader)
            .take(wanted.min(left))
            .read_to_end(&mut self.block)
            .map_err(Error::io("read", self.path))?;
        let header = match BlockHeader::parse(&self.block) {
            Ok(header) => header,
            Err(Error::Malformed { what, .. }) => return self.bad(what),
            Err(error) => return Err(error),
        };
        let bytes = header.block_bytes() as u64;
        if bytes > left {
            return self.bad("the block is cut short");
        }
        let payload = i64::try_from(bytes - wanted).expect("blocks are small");
        self.reader
            .seek_relative(payload)
            .map_err(Error::io("read", self.path))?;
        self.offset += bytes;
        Ok(Step::Block(header))
    }

    /// The next block, with its CRC checked. After `Bad` the walk stands still.
    pub(crate) fn next_block(&mut self) -> Result<Step> {
        let before = self.offset;
        let header = match self.next_header() {
            Ok(Step::Block(header)) => header,
            Ok(other @ (Step::LostMark | Step::End | Step::Bad(_))) => return Ok(other),
            Err(error @ Error::UnknownVersion { .. }) => {
                return if self.newer_block()? {
                    Err(error)
                } else {
                    self.bad("unknown format version")
                };
            }
            Err(error) => return Err(error),
        };
        let payload = header.block_bytes() - BlockHeader::LENGTH;
        let back = -i64::try_from(payload).expect("blocks are small");
        self.reader.seek_relative(back).map_err(Error::io("read", self.path))?;
        (&mut self.reader)
            .take(payload as u64)
            .read_to_end(&mut self.block)
            .map_err(Error::io("read", self.path))?;
        if verify(&self.block).is_ok() {
            return Ok(Step::Block(header));
        }
        self.offset = before;
        self.bad("the checksum does not match")
    }

    /// Whether what is left of the file is as long as a mark, and no block of transactions is so short.
    pub(crate) const fn only_a_mark_left(&self) -> bool {
        self.length - self.offset == BlockHeader::LENGTH as u64
    }

    fn bad(&mut self, what: &'static str) -> Result<Step> {
        let next = self.offset + BlockHeader::LENGTH as u64;
        if !sound_block_at(self.reader.get_ref(), next, self.length).map_err(Error::io("read", self.path))? {
            return Ok(Step::Bad(what));
        }
        self.go_to(next)?;
        Ok(Step::LostMark)
    }

    /// Whether the header just read begins a sound block of another version: else its version is a flipped bit.
    fn newer_block(&mut self) -> Result<bool> {
        let limit = u64::from(RAW_BYTES_MAX);
        (&mut self.reader)
            .take(limit)
            .read_to_end(&mut self.block)
            .map_err(Error::io("read", self.path))?;
        Ok(is_intact(&self.block))
    }
}

/// Whether a sound block begins at `offset` of `file` and ends before `end`. What is damaged and ends after 80 bytes,
/// where a sound block begins, was a mark: every other block is longer.
pub(crate) fn sound_block_at(file: &File, offset: u64, end: u64) -> io::Result<bool> {
    let mut header = [0; BlockHeader::LENGTH];
    if offset + BlockHeader::LENGTH as u64 > end {
        return Ok(false);
    }
    file.read_exact_at(&mut header, offset)?;
    let Ok(header) = BlockHeader::parse(&header) else {
        return Ok(false);
    };
    if offset + header.block_bytes() as u64 > end {
        return Ok(false);
    }
    let mut block = vec![0; header.block_bytes()];
    file.read_exact_at(&mut block, offset)?;
    Ok(verify(&block).is_ok())
}

/// Where, after the damage at `offset`, the next sound block begins; `end` when there is none. The damaged block's own
/// header is believed first, so that what looks like a block within its payload is none.
fn next_sound_block(file: &File, offset: u64, end: u64) -> io::Result<u64> {
    const CHUNK: usize = 1 << 20;
    let mut header = [0; BlockHeader::LENGTH];
    if offset + BlockHeader::LENGTH as u64 <= end {
        file.read_exact_at(&mut header, offset)?;
        if let Ok(header) = BlockHeader::parse(&header) {
            let next = offset + header.block_bytes() as u64;
            if next == end || sound_block_at(file, next, end)? {
                return Ok(next);
            }
        }
    }
    let mut chunk = vec![0; CHUNK];
    let mut from = offset + ALIGNMENT as u64;
    while from < end {
        let wanted = usize::try_from(end - from).map_or(CHUNK, |left| left.min(CHUNK));
        file.read_exact_at(&mut chunk[..wanted], from)?;
        for at in (0..wanted).step_by(ALIGNMENT) {
            let place = from + at as u64;
            if begins_like_a_block(&chunk[at..wanted]) && sound_block_at(file, place, end)? {
                return Ok(place);
            }
        }
        from += CHUNK as u64;
    }
    Ok(end)
}
