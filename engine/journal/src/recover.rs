use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;

use crate::disk::Disk;
use crate::encode::EncodedBlock;
use crate::error::{Error, Result};
use crate::header::{ALIGNMENT, BlockHeader, Kind, verify};
use crate::segment::{Place, Segment, SegmentHeader};
use crate::tail::{Fit, Tail};
use crate::walk::{Step, Walk};

/// What was cut off the end of a log when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment.
    pub path: PathBuf,
    /// Its new length, in bytes.
    pub offset: u64,
    /// How many bytes went.
    pub bytes: u64,
    /// Why.
    pub reason: CutReason,
}

/// Why the end of a log was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutReason {
    /// The last write did not reach the disk in full.
    Torn,
    /// The last part of a large transaction is missing.
    Unfinished,
}

/// The end of a log as it was found.
pub(crate) struct Recovered {
    pub(crate) tail: Tail,
    pub(crate) offset: u64,
    pub(crate) progress: Option<EncodedBlock>,
    pub(crate) cuts: Vec<Cut>,
}

/// Opens the file of a segment and reads its header.
pub(crate) fn open_segment(path: &Path, number: Lsn, origin: Origin) -> Result<Segment> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    let header = read_segment_header(&mut file, path)?;
    if header.origin != origin {
        return Err(Error::WrongOrigin {
            log: origin,
            block: header.origin,
        });
    }
    Ok(Segment::of(path.to_owned(), file, number, header.after))
}

/// The header of the segment in `file`, which stands at its start.
pub(crate) fn read_segment_header(file: &mut File, path: &Path) -> Result<SegmentHeader> {
    let mut header = [0; SegmentHeader::SIZE];
    file.read_exact(&mut header).map_err(|_| Error::Damaged {
        path: path.to_owned(),
        offset: 0,
        after: Lsn::ZERO,
        what: "it ends inside the segment's header",
    })?;
    SegmentHeader::parse(&header, path)
}

/// Goes over the headers of a segment that others follow, of which the next begins after `end`.
pub(crate) fn recover_sealed(segment: &Segment, end: Lsn) -> Result<()> {
    let mut walk = Walk::new(&segment.path, &segment.file)?;
    let mut tail = Tail::after(segment.after);
    loop {
        let offset = walk.offset();
        match walk.next_header() {
            Ok(Step::Block(header)) if tail.fit(&header) == Ok(Fit::Next) => step(segment, &mut tail, &header, offset),
            Ok(Step::LostMark) => {}
            Ok(Step::End | Step::Bad(_))
                if tail == Tail::after(end) && (offset == walk.length() || walk.only_a_mark_left()) =>
            {
                segment.show(walk.length());
                segment.seal();
                return Ok(());
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            Ok(_) | Err(_) => return Err(first_damage(segment)?),
        }
    }
}

/// Goes over the blocks of the last segment, and cuts off what the last run of the program did not finish.
pub(crate) fn recover_last(segment: &Segment, disk: &dyn Disk) -> Result<Recovered> {
    let mut walk = Walk::new(&segment.path, &segment.file)?;
    let mut tail = Tail::after(segment.after);
    let (mut progress, mut cuts) = (None, Vec::new());
    let bad = loop {
        let offset = walk.offset();
        match walk.next_block()? {
            Step::Block(header) => match tail.fit(&header) {
                Ok(Fit::Next) => {
                    step(segment, &mut tail, &header, offset);
                    if header.kind == Kind::Progress {
                        progress = Some(EncodedBlock::from_bytes(walk.bytes().to_vec().into())?);
                    }
                }
                Ok(Fit::Known | Fit::Again) => return Err(damaged(segment, offset, tail.end, OUT_OF_ORDER)),
                Err(what) => return Err(damaged(segment, offset, tail.end, what)),
            },
            Step::LostMark => {}
            Step::End => break None,
            Step::Bad(what) => break Some(what),
        }
    };
    let (mut offset, length) = (walk.offset(), walk.length());
    if let Some(what) = bad {
        if was_synced(segment, offset, length)? {
            return Err(damaged(segment, offset, tail.end, what));
        }
        cuts.push(cut(segment, offset, length, CutReason::Torn));
    }
    if let Some(unfinished) = tail.unfinished.take() {
        cuts.push(cut(segment, unfinished.offset, offset, CutReason::Unfinished));
        segment.forget(unfinished.offset);
        offset = unfinished.offset;
    }
    if offset < length {
        segment.file.set_len(offset).map_err(Error::io("cut", &segment.path))?;
    }
    // Also what the page cache alone had kept through the death of the last process is durable from here on.
    disk.sync(&segment.file).map_err(Error::io("sync", &segment.path))?;
    segment.show(offset);
    Ok(Recovered {
        tail,
        offset,
        progress,
        cuts,
    })
}

const OUT_OF_ORDER: &str = "its blocks are not in order";

fn step(segment: &Segment, tail: &mut Tail, header: &BlockHeader, offset: u64) {
    if header.kind == Kind::Transactions && header.begins() {
        segment.remember(Place {
            after: tail.end,
            offset,
        });
    }
    tail.take(header, offset);
}

/// The first damage of a sealed segment whose headers do not follow one another.
fn first_damage(segment: &Segment) -> Result<Error> {
    let mut walk = Walk::new(&segment.path, &segment.file)?;
    let mut tail = Tail::after(segment.after);
    loop {
        let offset = walk.offset();
        let what = match walk.next_block()? {
            Step::Block(header) => match tail.fit(&header) {
                Ok(Fit::Next) => {
                    tail.take(&header, offset);
                    continue;
                }
                Ok(Fit::Known | Fit::Again) => OUT_OF_ORDER,
                Err(what) => what,
            },
            Step::LostMark => continue,
            Step::End => "blocks are missing between this segment and the next one",
            Step::Bad(what) => what,
        };
        return Ok(damaged(segment, offset, tail.end, what));
    }
}

/// Whether a mark after `offset` proves that the disk had held what stands there. A crash may keep later writes and
/// lose earlier ones, as long as no fsync was between: sound blocks after a bad one alone prove nothing.
fn was_synced(segment: &Segment, offset: u64, length: u64) -> Result<bool> {
    const CHUNK: usize = 1 << 20;
    let step = (CHUNK - BlockHeader::LENGTH).next_multiple_of(ALIGNMENT) as u64;
    let mut chunk = vec![0; CHUNK];
    let mut at = offset;
    while at < length {
        let wanted = usize::try_from(length - at).map_or(CHUNK, |left| left.min(CHUNK));
        segment
            .file
            .read_exact_at(&mut chunk[..wanted], at)
            .map_err(Error::io("read", &segment.path))?;
        let windows = (0..wanted).step_by(ALIGNMENT);
        let proof = windows
            .filter_map(|place| chunk[..wanted].get(place..place + BlockHeader::LENGTH))
            .filter_map(|bytes| verify(bytes).ok())
            .any(|header| header.kind == Kind::Mark && header.last_hlc.0 > offset);
        if proof {
            return Ok(true);
        }
        at += step;
    }
    Ok(false)
}

fn cut(segment: &Segment, offset: u64, end: u64, reason: CutReason) -> Cut {
    Cut {
        path: segment.path.clone(),
        offset,
        bytes: end - offset,
        reason,
    }
}

fn damaged(segment: &Segment, offset: u64, after: Lsn, what: &'static str) -> Error {
    Error::Damaged {
        path: segment.path.clone(),
        offset,
        after,
        what,
    }
}
