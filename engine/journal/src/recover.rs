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

/// A place in a log that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The segment.
    pub path: PathBuf,
    /// Where the damaged block begins, in bytes from the start of the file.
    pub offset: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// The end of a log as it was found.
pub(crate) struct Recovered {
    pub(crate) tail: Tail,
    pub(crate) offset: u64,
    pub(crate) progress: Option<EncodedBlock>,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) damaged: Vec<Damaged>,
    /// What was damaged after the progress item, and may have been a later one.
    pub(crate) progress_lost: Option<Damaged>,
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

/// Goes over the headers of a segment that others follow, of which the next begins after `end`. Answers what of it is
/// damaged, so far as headers tell; payloads are looked at when they are read.
pub(crate) fn recover_sealed(segment: &Segment, end: Lsn) -> Result<Vec<Damaged>> {
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
                return Ok(Vec::new());
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            Ok(_) | Err(_) => break,
        }
    }
    let damaged = recover_damaged(segment, end)?;
    segment.show(walk.length());
    segment.seal();
    Ok(damaged)
}

/// Goes over the blocks of a sealed segment whose headers do not follow one another.
fn recover_damaged(segment: &Segment, end: Lsn) -> Result<Vec<Damaged>> {
    segment.forget(0);
    let mut walk = Walk::new(&segment.path, &segment.file)?;
    let mut course = Course::after(segment.after);
    loop {
        let offset = walk.offset();
        match walk.next_block()? {
            Step::Block(header) => course.step(segment, &header, offset)?,
            Step::LostMark => {}
            Step::Bad(_) if course.tail == Tail::after(end) && walk.only_a_mark_left() => break,
            Step::Bad(what) => {
                walk.skip_damage()?;
                course.damaged_at(segment, offset, what);
            }
            Step::End if course.gap && course.tail.end <= end || course.tail == Tail::after(end) => break,
            Step::End => {
                let what = "blocks are missing between this segment and the next one";
                return Err(damaged(segment, offset, course.tail.end, what));
            }
        }
    }
    Ok(course.damaged)
}

/// Goes over the blocks of the last segment, and cuts off what the last run of the program did not finish.
pub(crate) fn recover_last(segment: &Segment, disk: &dyn Disk) -> Result<Recovered> {
    let mut walk = Walk::new(&segment.path, &segment.file)?;
    let mut course = Course::after(segment.after);
    let (mut progress, mut progress_lost, mut cuts) = (None, None, Vec::new());
    let (mut offset, length) = loop {
        let offset = walk.offset();
        match walk.next_block()? {
            Step::Block(header) => {
                course.step(segment, &header, offset)?;
                if header.kind == Kind::Progress {
                    progress = Some(EncodedBlock::from_bytes(walk.bytes().to_vec().into())?);
                    progress_lost = None;
                } else if header.kind == Kind::Blank {
                    progress_lost = Some(place(segment, offset, "it was damaged, and nobody had it"));
                }
            }
            Step::LostMark => {}
            Step::End => break (offset, walk.length()),
            Step::Bad(what) if was_synced(segment, offset, walk.length())? => {
                walk.skip_damage()?;
                course.damaged_at(segment, offset, what);
                progress_lost = course.damaged.last().cloned();
            }
            Step::Bad(_) => {
                cuts.push(cut(segment, offset, walk.length(), CutReason::Torn));
                break (offset, walk.length());
            }
        }
    };
    let Course {
        mut tail,
        damaged: places,
        ..
    } = course;
    if let Some(unfinished) = tail.unfinished.take() {
        // Without the proof that the damaged blocks had been synced they would be cut off as torn the next time.
        if let Some(last) = places.last()
            && !was_synced(segment, last.offset, unfinished.offset)?
        {
            return Err(damaged(segment, last.offset, tail.end, UNFINISHED));
        }
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
        damaged: places,
        progress_lost,
    })
}

/// A way over a segment's blocks that goes on after damage.
struct Course {
    tail: Tail,
    /// Whether what came last is damaged, so that nobody knows what comes next.
    gap: bool,
    damaged: Vec<Damaged>,
}

impl Course {
    const fn after(end: Lsn) -> Self {
        Course {
            tail: Tail::after(end),
            gap: false,
            damaged: Vec::new(),
        }
    }

    fn step(&mut self, segment: &Segment, header: &BlockHeader, offset: u64) -> Result<()> {
        let before = self.tail.end;
        let out_of_order = |what| damaged(segment, offset, before, what);
        if self.gap {
            self.gap = !self.tail.resume(header, offset).map_err(out_of_order)?;
            return Ok(());
        }
        match self.tail.fit(header).map_err(out_of_order)? {
            Fit::Next => step(segment, &mut self.tail, header, offset),
            Fit::Known | Fit::Again => return Err(out_of_order(OUT_OF_ORDER)),
        }
        Ok(())
    }

    fn damaged_at(&mut self, segment: &Segment, offset: u64, what: &'static str) {
        self.gap = true;
        self.damaged.push(place(segment, offset, what));
    }
}

fn place(segment: &Segment, offset: u64, what: &'static str) -> Damaged {
    Damaged {
        path: segment.path.clone(),
        offset,
        what,
    }
}

const UNFINISHED: &str = "and the transaction at the log's end is unfinished";
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
