use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::{Error, Result};

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) enum Secrecy {
    /// Its owner alone (0600).
    Private,
    /// Everybody (0644).
    Public,
}

/// Fails when one of the files is there, before anything is made.
pub(super) fn refuse_existing(directory: &Path, names: &[&str]) -> Result<()> {
    for name in names {
        let path = directory.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path });
        }
    }
    Ok(())
}

/// Writes a new file crash-safely: whole and durable under its name, or not there. The last step is a hard link and
/// not a rename, because a rename would replace a file that appeared meanwhile.
pub(super) fn write_new(directory: &Path, name: &str, text: &str, secrecy: Secrecy) -> Result<()> {
    let path = directory.join(name);
    let temporary = directory.join(format!(".{name}.{}", std::process::id()));
    let failed = |action, path: &Path, source| Error::File {
        action,
        path: path.to_owned(),
        source,
    };
    // A leftover of a crashed process that had our number is in the way and is nobody's.
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed("remove", &temporary, e)),
    }
    let mode = match secrecy {
        Secrecy::Private => 0o600,
        Secrecy::Public => 0o644,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .map_err(|e| failed("create", &temporary, e))?;
    let linked = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| failed("write", &temporary, e))
        .and_then(|()| {
            fs::hard_link(&temporary, &path).map_err(|e| {
                if e.kind() == io::ErrorKind::AlreadyExists {
                    Error::Exists { path: path.clone() }
                } else {
                    failed("create", &path, e)
                }
            })
        });
    fs::remove_file(&temporary).map_err(|e| failed("remove", &temporary, e))?;
    linked?;
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(|e| failed("sync", directory, e))
}

/// Reads a PEM file.
pub(super) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| Error::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}
