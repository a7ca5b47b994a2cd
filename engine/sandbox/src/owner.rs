//! Who runs the servers: PostgreSQL refuses to run as root, so root hands the sandbox to another user.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Users that root hands the servers to, in this order.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The operating-system user of the servers and of all files of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The user that calls: nothing to change.
    Caller,
    /// Root calls; the servers run as this user.
    Other {
        /// Its name.
        name: String,
        /// Its user id.
        uid: u32,
        /// Its primary group.
        gid: u32,
    },
}

impl Owner {
    /// The caller, or for root the first of `postgres` and `nobody` that the machine has.
    pub(crate) fn detect() -> Result<Owner> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Owner::Caller);
        }
        let path = Path::new("/etc/passwd");
        let passwd = fs::read_to_string(path).map_err(Error::io("read", path))?;
        CANDIDATES
            .iter()
            .find_map(|name| find(&passwd, name))
            .ok_or_else(|| Error::Usage {
                what: "PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody"
                    .to_owned(),
            })
    }

    /// Makes a directory (and nothing above it) that this user owns; that it exists is fine.
    pub(crate) fn make_dir(&self, path: &Path, mode: u32) -> Result<()> {
        match fs::DirBuilder::new().mode(mode).create(path) {
            Ok(()) => self.give(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Error::io("create", path)(error)),
        }
    }

    /// Gives one file or directory to this user.
    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        match self {
            Owner::Caller => Ok(()),
            Owner::Other { uid, gid, .. } => lchown(path, Some(*uid), Some(*gid)).map_err(Error::io("chown", path)),
        }
    }

    /// Gives a directory and all within to this user.
    pub(crate) fn give_all(&self, path: &Path) -> Result<()> {
        self.give(path)?;
        for entry in fs::read_dir(path).map_err(Error::io("list", path))? {
            let entry = entry.map_err(Error::io("list", path))?;
            let kind = entry.file_type().map_err(Error::io("inspect", entry.path()))?;
            if kind.is_dir() {
                self.give_all(&entry.path())?;
            } else {
                self.give(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Fails with the first directory on the way to `path` that this user cannot enter. What does not exist yet is
    /// not looked at.
    pub(crate) fn check_can_enter(&self, path: &Path) -> Result<()> {
        match (self.barred_from(path)?, self) {
            (Some(ancestor), Owner::Other { name, .. }) => Err(Error::NotEnterable {
                user: name.clone(),
                ancestor,
                path: path.to_owned(),
            }),
            (Some(_), Owner::Caller) | (None, _) => Ok(()),
        }
    }

    /// The first directory above `path` that this user cannot enter.
    pub(crate) fn barred_from(&self, path: &Path) -> Result<Option<PathBuf>> {
        let Owner::Other { uid, gid, .. } = self else {
            return Ok(None);
        };
        let mut ancestors: Vec<&Path> = path.ancestors().skip(1).collect();
        ancestors.reverse();
        for ancestor in ancestors {
            let Ok(metadata) = fs::metadata(ancestor) else {
                return Ok(None);
            };
            if !may_enter(metadata.mode(), metadata.uid() == *uid, metadata.gid() == *gid) {
                return Ok(Some(ancestor.to_owned()));
            }
        }
        Ok(None)
    }
}

/// The search permission of a directory's mode for its owner, its group, or anyone else.
fn may_enter(mode: u32, is_owner: bool, in_group: bool) -> bool {
    let bit = match (is_owner, in_group) {
        (true, _) => 0o100,
        (false, true) => 0o010,
        (false, false) => 0o001,
    };
    mode & bit != 0
}

/// The entry of `name` in the text of `/etc/passwd` (`name:password:uid:gid:…`).
fn find(passwd: &str, name: &str) -> Option<Owner> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Owner::Other {
            name: name.to_owned(),
            uid,
            gid,
        })
    })
}

#[cfg(test)]
mod tests;
