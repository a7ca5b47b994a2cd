//! Who runs PostgreSQL: not root.

use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// The user of the servers when root calls; the same choice as a sandbox's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Whoever calls.
    Caller,
    /// Another user, with its primary group.
    Other { uid: u32, gid: u32 },
}

impl Owner {
    pub(crate) fn detect() -> anyhow::Result<Owner> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Owner::Caller);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        let candidates = ["postgres", "nobody"];
        let found = candidates.iter().find_map(|name| find(&passwd, name));
        found.context("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
    }

    /// Gives a file or directory to this user.
    pub(crate) fn give(self, path: &Path) -> anyhow::Result<()> {
        match self {
            Owner::Caller => Ok(()),
            Owner::Other { uid, gid } => {
                chown(path, Some(uid), Some(gid)).with_context(|| format!("cannot give away {}", path.display()))
            }
        }
    }

    /// Makes a program run as this user.
    pub(crate) fn apply(self, command: &mut Command) {
        use std::os::unix::process::CommandExt;
        if let Owner::Other { uid, gid } = self {
            command.gid(gid).uid(uid).env("HOME", "/");
        }
    }
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
        Some(Owner::Other { uid, gid })
    })
}

#[cfg(test)]
mod tests;
