//! PostgreSQL's binaries: where they are, which version they have, what they need to run.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Where Debian and Ubuntu put each major version.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

/// The value of `--pg-bin`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PgBin {
    /// Not given: look for it.
    #[default]
    Find,
    /// One directory for every node.
    All(PathBuf),
    /// A directory for each node named; the others are looked for.
    PerNode(BTreeMap<String, PathBuf>),
}

impl FromStr for PgBin {
    type Err = Error;

    /// Reads `DIR` or `n1=DIR,n2=DIR`.
    fn from_str(text: &str) -> Result<PgBin> {
        if !text.contains('=') {
            return Ok(PgBin::All(PathBuf::from(text)));
        }
        let pairs = text.split(',').map(|pair| match pair.split_once('=') {
            Some((node, dir)) if !node.is_empty() && !dir.is_empty() => Ok((node.to_owned(), PathBuf::from(dir))),
            Some(_) | None => Err(Error::Usage {
                what: format!("--pg-bin {text}: expected DIR or n1=DIR,n2=DIR, found {pair:?}"),
            }),
        });
        Ok(PgBin::PerNode(pairs.collect::<Result<_>>()?))
    }
}

impl PgBin {
    /// The server for a node: the one named, else `$PG_BIN`, else what `pg_config` names, else the newest in Debian's
    /// place.
    pub(crate) fn server_for(&self, node: &str) -> Result<Server> {
        let named = match self {
            PgBin::Find => None,
            PgBin::All(dir) => Some(dir),
            PgBin::PerNode(dirs) => dirs.get(node),
        };
        match named {
            Some(dir) => Server::in_dir(dir),
            None => Server::find(),
        }
    }

    /// Fails when a node is named that is not one of `nodes`.
    pub(crate) fn check_names<'a>(&self, mut nodes: impl Iterator<Item = &'a str> + Clone) -> Result<()> {
        let PgBin::PerNode(dirs) = self else { return Ok(()) };
        match dirs
            .keys()
            .find(|name| !nodes.clone().any(|node| node == name.as_str()))
        {
            Some(name) => {
                let known = nodes.by_ref().collect::<Vec<_>>().join(", ");
                Err(Error::NoNode {
                    name: name.clone(),
                    known,
                })
            }
            None => Ok(()),
        }
    }
}

/// The binaries of one PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The directory of `postgres`, `initdb` and the rest, free of symbolic links.
    pub bin: PathBuf,
    /// As PostgreSQL writes it, for example `15.18`.
    pub version: String,
}

impl Server {
    /// The server whose binaries are in `dir`. Fails when they are not there or do not run.
    pub fn in_dir(dir: &Path) -> Result<Server> {
        let no_server = |what: String| Error::NoServer { what };
        let bin = fs::canonicalize(dir).map_err(|error| no_server(format!("{}: {error}", dir.display())))?;
        for program in ["postgres", "initdb"] {
            if !bin.join(program).is_file() {
                return Err(no_server(format!("{} has no {program}", dir.display())));
            }
        }
        let output = command(&bin, "postgres")
            .arg("--version")
            .output()
            .map_err(|error| no_server(format!("{}/postgres: {error}", bin.display())))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match parse_version(&text) {
            Some(version) => Ok(Server { bin, version }),
            None => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(no_server(format!(
                    "{}/postgres --version said {:?}",
                    bin.display(),
                    format!("{text}{said}")
                )))
            }
        }
    }

    /// The server of this machine: `$PG_BIN`, else `pg_config --bindir`, else the newest in Debian's place.
    pub fn find() -> Result<Server> {
        if let Some(dir) = env::var_os("PG_BIN").filter(|dir| !dir.is_empty()) {
            return Server::in_dir(Path::new(&dir));
        }
        // A machine may have pg_config of the client library alone: it counts only where a server stands beside it.
        if let Some(server) = pg_config_bindir().and_then(|dir| Server::in_dir(&dir).ok()) {
            return Ok(server);
        }
        match newest(Path::new(DEBIAN_ROOT)) {
            Some(dir) => Server::in_dir(&dir),
            None => Err(Error::NoServer {
                what: format!("$PG_BIN is not set, pg_config names none, {DEBIAN_ROOT}/*/bin has none"),
            }),
        }
    }

    /// Every server of this machine that works, the preferred one first.
    pub(crate) fn on_machine() -> Vec<Server> {
        let of_debian = newest(Path::new(DEBIAN_ROOT)).and_then(|dir| Server::in_dir(&dir).ok());
        Server::find().into_iter().chain(of_debian).collect()
    }

    /// The major version, for example 15.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.version
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    }

    /// A program of this server, for example `pgbench`; `None` when the package does not bring it.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.bin.join(name)).filter(|path| path.is_file())
    }

    /// Where its shared libraries are, when they travel with the binaries and the loader would not find them.
    pub(crate) fn library_path(&self) -> Option<PathBuf> {
        library_path(&self.bin)
    }
}

/// A program of `bin`, with the loader pointed at the libraries that travel with it.
fn command(bin: &Path, program: &str) -> Command {
    let mut command = Command::new(bin.join(program));
    if let Some(library_path) = library_path(bin) {
        command.env("LD_LIBRARY_PATH", library_path);
    }
    command
}

fn library_path(bin: &Path) -> Option<PathBuf> {
    if bin.starts_with("/usr") {
        return None;
    }
    bin.parent().map(|root| root.join("lib")).filter(|lib| lib.is_dir())
}

fn pg_config_bindir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim())).filter(|dir| output.status.success() && dir.is_dir())
}

/// The `bin` directory of the highest version under `root` that has a server.
fn newest(root: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(root).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    let with_server = versions.filter(|(_, bin)| bin.join("postgres").is_file() && bin.join("initdb").is_file());
    with_server.max().map(|(_, bin)| bin)
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian …)`.
fn parse_version(text: &str) -> Option<String> {
    let version = text.split("(PostgreSQL)").nth(1)?.split_whitespace().next()?;
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| version.to_owned())
}

#[cfg(test)]
mod tests;
