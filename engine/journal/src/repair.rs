use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::encode::EncodedBlock;
use crate::error::{Error, Result};
use crate::header::{ALIGNMENT, BlockHeader, Kind};
use crate::open::list;
use crate::recover::read_segment_header;
use crate::segment::SegmentHeader;
use crate::tail::{Fit, Tail};
use crate::walk::{Step, Walk};

/// Writes `block`, fetched from a peer, into the place of the damaged one at `offset` of the segment in `path`, as
/// [`Error::Damaged`] named them. The log may be open, or not open because of the damage. Durable on return. A damaged
/// progress item has no copy at peers and cannot be repaired.
///
/// # Errors
/// [`Error::Unfit`] when the block there is not damaged, or `block` does not fit in between its neighbours;
/// [`Error::Io`].
pub fn repair(path: &Path, offset: u64, block: &EncodedBlock) -> Result<()> {
    let unfit = |what| Error::Unfit {
        path: path.to_owned(),
        offset,
        what,
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    let segment = read_segment_header(&mut file, path)?;
    let header = block.header();
    if header.kind != Kind::Transactions || header.origin != segment.origin {
        return Err(unfit("the replacement holds no transactions of this log's origin"));
    }
    if offset < SegmentHeader::LENGTH || !offset.is_multiple_of(ALIGNMENT as u64) {
        return Err(unfit("no block begins there"));
    }
    let mut walk = Walk::new(path, &file)?;
    let mut tail = Tail::after(segment.after);
    while walk.offset() < offset {
        let at = walk.offset();
        match walk.next_block()? {
            Step::Block(header) => tail.take(&header, at),
            Step::LostMark => {}
            Step::End | Step::Bad(_) => return Err(unfit("an earlier block is damaged, or the file ends before")),
        }
    }
    let damaged_length = length_at(&file, offset).map_err(Error::io("read", path))?;
    if walk.offset() > offset || matches!(walk.next_block()?, Step::Block(_)) {
        return Err(unfit("no damaged block begins there"));
    }
    if tail.fit(header) != Ok(Fit::Next) {
        return Err(unfit("the replacement does not continue the block before"));
    }
    let end = offset + block.bytes().len() as u64;
    if end > walk.length() {
        return Err(unfit("the replacement is longer than the rest of the file"));
    }
    tail.take(header, offset);
    check_rest(path, &file, end, tail, damaged_length == Some(end - offset)).map_err(|what| match what {
        Rest::Error(error) => error,
        Rest::Unfit(what) => unfit(what),
    })?;
    file.write_all_at(block.bytes(), offset)
        .map_err(Error::io("repair", path))?;
    rustix::fs::fdatasync(&file).map_err(|errno| Error::io("sync", path)(errno.into()))
}

enum Rest {
    Error(Error),
    Unfit(&'static str),
}

/// Whether what follows the replacement, up to the next damage, continues it.
fn check_rest(path: &Path, file: &File, from: u64, mut tail: Tail, same_length: bool) -> std::result::Result<(), Rest> {
    let mut walk = Walk::at(path, file, from).map_err(Rest::Error)?;
    loop {
        let at = walk.offset();
        match walk.next_block().map_err(Rest::Error)? {
            Step::Block(next) if tail.fit(&next) == Ok(Fit::Next) => tail.take(&next, at),
            Step::Block(_) => return Err(Rest::Unfit("the next block does not continue the replacement")),
            Step::LostMark => {}
            Step::Bad(_) if at > from || same_length => return Ok(()),
            Step::Bad(_) => return Err(Rest::Unfit("the replacement has another length than the damaged block")),
            Step::End => break,
        }
    }
    match next_segment(path).map_err(Rest::Error)? {
        Some(next) if tail != Tail::after(next.after) => {
            Err(Rest::Unfit("the next segment does not continue the replacement"))
        }
        Some(_) | None => Ok(()),
    }
}

/// What the header at `offset`, which may be damaged itself, tells of its block's length.
fn length_at(file: &File, offset: u64) -> io::Result<Option<u64>> {
    let mut header = [0; BlockHeader::LENGTH];
    let length = file.read_at(&mut header, offset)?;
    Ok(BlockHeader::parse(&header[..length])
        .ok()
        .map(|header| header.block_bytes() as u64))
}

/// The header of the segment that follows the one in `path`.
fn next_segment(path: &Path) -> Result<Option<SegmentHeader>> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let segments = list(dir)?;
    let Some((_, next)) = segments.iter().find(|(_, other)| other.file_name() > path.file_name()) else {
        return Ok(None);
    };
    let mut file = File::open(next).map_err(Error::io("open", next))?;
    read_segment_header(&mut file, next).map(Some)
}

#[cfg(test)]
mod tests;
