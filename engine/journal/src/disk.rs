use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};

/// What a log asks of the disk where failing matters: a port, so that tests can fill it up and pull its plug.
pub(crate) trait Disk: Send + Sync + std::fmt::Debug {
    /// Writes all of `bytes` at `offset`. After an error any prefix may have been written.
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns when what was written to `file` is on the disk.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Debug)]
pub(crate) struct Files;

impl Disk for Files {
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(file)?)
    }
}

/// The disk that is used everywhere but in tests.
pub(crate) fn files() -> Arc<dyn Disk> {
    Arc::new(Files)
}

/// Makes the names in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::io("sync the directory", dir))
}

/// Makes a directory and its name durable; one that exists is fine.
pub(crate) fn make_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_dir(parent.unwrap_or(Path::new(".")))
}
