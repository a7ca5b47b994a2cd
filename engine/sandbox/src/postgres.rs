//! One PostgreSQL server: made, started, stopped, killed.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::error::{Error, Result};
use crate::files;
use crate::owner::Owner;
use crate::process::{Launch, ProcessId, arguments, until, working_in};
use crate::query::{connect, statement_error};
use crate::servers::Server;

/// From the start to the first connection; includes crash recovery.
const READY_MAX: Duration = Duration::from_secs(120);
/// From the order to stop to the end of the last process; a fast shutdown writes a checkpoint first.
const STOP_MAX: Duration = Duration::from_secs(90);
/// How long children may outlive a killed postmaster; a busy backend notices only when its statement ends.
const ORPHANS_MAX: Duration = Duration::from_secs(20);
/// How often a server that is starting is tried.
const TRY_EVERY: Duration = Duration::from_millis(50);
/// Our settings, included by `postgresql.conf`.
const SETTINGS_FILE: &str = "sandbox.conf";

/// A PostgreSQL server of the sandbox.
pub(crate) struct Postgres<'a> {
    /// The node that it belongs to.
    pub(crate) node: &'a str,
    /// Its binaries.
    pub(crate) server: &'a Server,
    /// Its data directory.
    pub(crate) data_dir: &'a Path,
    /// Where its Unix socket is.
    pub(crate) socket_dir: &'a Path,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
    /// Where it logs.
    pub(crate) log: &'a Path,
    /// Who runs it.
    pub(crate) owner: &'a Owner,
}

impl Postgres<'_> {
    /// Runs initdb unless it was done, and writes our settings.
    pub(crate) async fn prepare(&self) -> Result<()> {
        // Our settings come last: without them, an earlier initdb did not end well.
        if !self.data_dir.join(SETTINGS_FILE).is_file() {
            if self.data_dir.exists() {
                fs::remove_dir_all(self.data_dir).map_err(Error::io("remove", self.data_dir))?;
            }
            self.owner.make_dir(self.data_dir, 0o700)?;
            match self.initdb("C.UTF-8").await {
                // Machines without C.UTF-8 have C.
                Err(Error::Program { output, .. }) if output.contains("locale") => self.initdb("C").await?,
                other => other?,
            }
            let path = self.data_dir.join("postgresql.conf");
            let file = OpenOptions::new().append(true).open(&path);
            file.and_then(|mut file| writeln!(file, "\ninclude '{SETTINGS_FILE}'"))
                .map_err(Error::io("write", &path))?;
        }
        let path = self.data_dir.join(SETTINGS_FILE);
        files::replace(&path, settings(self.port, self.socket_dir).as_bytes(), 0o600)?;
        self.owner.give(&path)
    }

    async fn initdb(&self, locale: &str) -> Result<()> {
        let locale = format!("--locale={locale}");
        let fixed: [&dyn AsRef<std::ffi::OsStr>; 9] = [
            &"--pgdata",
            &self.data_dir,
            &"--username=postgres",
            &"--encoding=UTF8",
            &locale,
            &"--data-checksums",
            &"--auth=trust",
            &"--no-sync",
            &"--no-instructions",
        ];
        self.launch("initdb", fixed).run().await
    }

    /// Starts the server. Fails when processes of an earlier one are still there.
    pub(crate) fn start(&self) -> Result<ProcessId> {
        if let Some(earlier) = self.processes().first() {
            let what = format!("PostgreSQL of {} still runs (process {})", self.node, earlier.pid);
            return Err(Error::Refused { what });
        }
        // No process works in the data directory, so these lock files are of a killed server, and the id in them may
        // be another process's by now; PostgreSQL would take that for the old server and refuse to start.
        files::remove_if_there(&self.data_dir.join("postmaster.pid"))?;
        files::remove_if_there(&self.socket_dir.join(format!(".s.PGSQL.{}.lock", self.port)))?;
        self.launch("postgres", [&"-D", &self.data_dir]).start(self.log)
    }

    /// Waits until the server answers. Fails at once when its process ends.
    pub(crate) async fn wait_ready(&self, process: ProcessId) -> Result<()> {
        let deadline = tokio::time::Instant::now() + READY_MAX;
        loop {
            if connect(self.port, "postgres", self.node).await.is_ok() {
                return Ok(());
            }
            let problem = if !process.is_alive() {
                "ended during its start".to_owned()
            } else if tokio::time::Instant::now() >= deadline {
                format!("did not accept connections within {} s", READY_MAX.as_secs())
            } else {
                tokio::time::sleep(TRY_EVERY).await;
                continue;
            };
            let log_tail = files::tail(self.log);
            return Err(Error::NotReady {
                node: self.node.to_owned(),
                what: "PostgreSQL",
                problem,
                log_tail,
            });
        }
    }

    /// Creates the database unless it is there.
    pub(crate) async fn create_database(&self, database: &str) -> Result<()> {
        let client = connect(self.port, "postgres", self.node).await?;
        let fail = |error| statement_error(self.node, error);
        let known = client
            .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&database])
            .await;
        if known.map_err(fail)?.is_none() {
            client
                .batch_execute(&format!("CREATE DATABASE \"{database}\""))
                .await
                .map_err(fail)?;
        }
        Ok(())
    }

    /// Fast shutdown, and waits for its end.
    pub(crate) async fn stop(&self, process: ProcessId) -> Result<()> {
        process.signal(Signal::INT)?;
        process
            .wait_ended(&format!("PostgreSQL of {}", self.node), STOP_MAX)
            .await
    }

    /// SIGKILL to the postmaster, and waits until its children have noticed and ended.
    pub(crate) async fn kill(&self, process: ProcessId) -> Result<()> {
        process.signal(Signal::KILL)?;
        // A process that is ending loses its working directory before it is gone, so it is waited for by itself too.
        process
            .wait_ended(&format!("PostgreSQL of {}", self.node), STOP_MAX)
            .await?;
        match until(ORPHANS_MAX, || self.processes().is_empty()).await {
            Ok(()) => Ok(()),
            Err(()) => self.kill_what_is_left().await,
        }
    }

    /// SIGKILL to every process that still works in the data directory, and waits for their end.
    pub(crate) async fn kill_what_is_left(&self) -> Result<()> {
        for process in self.processes() {
            process.signal(Signal::KILL)?;
        }
        let what = format!("end of the processes of PostgreSQL of {}", self.node);
        until(ORPHANS_MAX, || self.processes().is_empty())
            .await
            .map_err(|()| Error::TimedOut {
                what,
                limit: ORPHANS_MAX,
            })
    }

    /// The processes of the server, or of one that was killed before; none when there is no data directory.
    fn processes(&self) -> Vec<ProcessId> {
        fs::canonicalize(self.data_dir)
            .map(|data_dir| working_in(&data_dir))
            .unwrap_or_default()
    }

    fn launch<const N: usize>(&self, program: &str, list: [&dyn AsRef<std::ffi::OsStr>; N]) -> Launch<'_> {
        Launch {
            program: self.server.bin.join(program),
            arguments: arguments(list),
            library_path: self.server.library_path(),
            owner: self.owner,
        }
    }
}

/// The directory of the Unix sockets: in the sandbox if the system's limit of 107 bytes allows, else in `/tmp`.
pub(crate) fn socket_dir(dir: &Path) -> PathBuf {
    const SOCKET_PATH_MAX: usize = 107;
    let inside = dir.join("s");
    // PostgreSQL keeps a lock file with a longer name, but only the socket's own name is limited.
    if inside.join(".s.PGSQL.65535").as_os_str().len() <= SOCKET_PATH_MAX {
        return inside;
    }
    PathBuf::from(format!(
        "/tmp/.synapse-{:016x}",
        fnv(dir.as_os_str().as_encoded_bytes())
    ))
}

/// FNV-1a: a short name for a long path, the same in every run.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The settings of every server of a sandbox.
fn settings(port: u16, socket_dir: &Path) -> String {
    let socket_dir = socket_dir.display().to_string().replace('\'', "''");
    let lines = [
        ("listen_addresses", "'127.0.0.1'"),
        ("wal_level", "logical"),
        ("track_commit_timestamp", "on"),
        ("max_connections", "200"),
        ("max_wal_senders", "20"),
        ("max_replication_slots", "20"),
        ("max_prepared_transactions", "10"),
        ("fsync", "on"),
        ("wal_retrieve_retry_interval", "'50ms'"),
        ("timezone", "'UTC'"),
        ("log_timezone", "'UTC'"),
        ("log_line_prefix", "'%m [%p] %q%a@%d '"),
    ];
    let mut text = format!("# Written by synapsectl sandbox; ALTER SYSTEM overrides it.\nport = {port}\n");
    for (name, value) in [("unix_socket_directories", format!("'{socket_dir}'").as_str())]
        .iter()
        .chain(&lines)
    {
        writeln!(text, "{name} = {value}").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests;
