use std::path::{Path, PathBuf};
use std::sync::Arc;

use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;

use crate::disk::{Disk, make_dir};
use crate::error::{Error, Result};
use crate::reader::Segments;
use crate::recover::{Cut, Damaged, open_segment, recover_last, recover_sealed};
use crate::segment::{Segment, SegmentHeader};
use crate::tail::Tail;
use crate::writer::Writer;

/// How the file of a segment ends before it is whole.
const UNNAMED: &str = ".tmp";

/// A log as it was found on the disk.
pub(crate) struct Opened {
    pub(crate) writer: Writer,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) damaged: Vec<Damaged>,
    pub(crate) progress_lost: Option<Damaged>,
}

/// Finds what is in `dir`, and stands at its end.
pub(crate) fn open_writer(dir: &Path, origin: Origin, segment_bytes: u64, disk: Arc<dyn Disk>) -> Result<Opened> {
    make_dir(dir)?;
    remove_unnamed(dir)?;
    let found = list(dir)?
        .into_iter()
        .map(|(number, path)| open_segment(&path, number, origin).map(Arc::new))
        .collect::<Result<Vec<_>>>()?;
    let mut damaged = Vec::new();
    for pair in found.windows(2) {
        damaged.extend(recover_sealed(&pair[0], pair[1].after)?);
    }
    let mut writer = Writer {
        origin,
        dir: dir.to_owned(),
        disk,
        segment_bytes,
        segments: Arc::new(Segments::default()),
        current: found.last().cloned(),
        offset: SegmentHeader::LENGTH,
        dirty: false,
        tail: Tail::after(Lsn::ZERO),
        progress: None,
        durable: Lsn::ZERO,
        clean: SegmentHeader::LENGTH,
        generation: 0,
        failed: None,
    };
    let (mut cuts, mut progress_lost) = (Vec::new(), None);
    if let Some(last) = found.last() {
        let recovered = recover_last(last, &*writer.disk)?;
        writer.tail = recovered.tail;
        writer.durable = recovered.tail.end;
        writer.offset = recovered.offset;
        writer.clean = recovered.offset;
        writer.progress = recovered.progress;
        (cuts, progress_lost) = (recovered.cuts, recovered.progress_lost);
        if !recovered.damaged.is_empty() {
            // All that is left is synced now: this tells how far damage may reach that an earlier mark does not cover.
            writer.synced(recovered.offset, recovered.tail.end, writer.generation);
            damaged.extend(recovered.damaged);
        }
    }
    *writer.segments.lock() = found;
    Ok(Opened {
        writer,
        cuts,
        damaged,
        progress_lost,
    })
}

/// Removes what a crash left of the birth of a segment.
fn remove_unnamed(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        if path.to_string_lossy().ends_with(UNNAMED) {
            std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// The segments in `dir` by number.
pub(crate) fn list(dir: &Path) -> Result<Vec<(Lsn, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(number) = Segment::parse_name(name) {
            found.push((number, path));
        } else if !name.ends_with(UNNAMED) {
            return Err(Error::Foreign {
                path,
                what: "expected segments, named by 16 hexadecimal digits and .log",
            });
        }
    }
    found.sort();
    Ok(found)
}
