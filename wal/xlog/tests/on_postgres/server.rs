use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use synapse_wal_types::Lsn;
use synapse_wal_xlog::{SegmentName, SegmentSize, Version, WalFile};
use tempfile::TempDir;

/// A server of its own, on a Unix socket in a directory of its own: no port to share. It dies with the value.
pub(crate) struct Server {
    pub(crate) version: Version,
    pub(crate) size: SegmentSize,
    bin: PathBuf,
    directory: TempDir,
}

/// Everything that can stand in the WAL, and no file of it removed; nothing is lost by never syncing.
const SETTINGS: &str = "
wal_level = logical
wal_log_hints = on
max_prepared_transactions = 10
track_commit_timestamp = on
wal_keep_size = '4GB'
max_wal_size = '4GB'
checkpoint_timeout = '1h'
fsync = off
listen_addresses = ''
timezone = 'UTC'
autovacuum = off
";

/// Where the programs of a version are. That a server is missing is a failure of the test, not a reason to skip it.
fn bin(version: Version) -> PathBuf {
    let beside = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../.servers")
            .join(name)
            .join("bin")
    };
    let bin = match version {
        Version::V15 => PathBuf::from("/usr/lib/postgresql/15/bin"),
        Version::V16 => beside("vector"),
        Version::V14 | Version::V17 | Version::V18 => beside(&version.to_string()),
    };
    let hint = "run .ci/prerequisites test";
    assert!(
        bin.join("postgres").is_file(),
        "no PostgreSQL {version} in {}; {hint}",
        bin.display()
    );
    bin.canonicalize().unwrap()
}

/// psql and pgbench of any version serve all of them; some packages bring none.
fn client_bin() -> PathBuf {
    let bins = (15..=18).map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")));
    let mut bins = bins.filter(|bin| bin.join("psql").is_file() && bin.join("pgbench").is_file());
    bins.next()
        .expect("psql and pgbench are in /usr/lib/postgresql; run .ci/prerequisites test")
}

pub(crate) fn output(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
    String::from_utf8(done.stdout).unwrap()
}

impl Server {
    /// Makes a cluster with segments of `megabytes`, and starts it.
    pub(crate) fn start(version: Version, megabytes: u32) -> Server {
        let directory = tempfile::Builder::new().prefix("xlog").tempdir_in("/tmp").unwrap();
        let server = Server {
            version,
            size: SegmentSize::new(megabytes << 20).unwrap(),
            bin: bin(version),
            directory,
        };
        if is_root() {
            output(Command::new("chown").arg("postgres:").arg(server.path()));
        }
        let mut initdb = server.program("initdb");
        initdb.args([
            "-N",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--wal-segsize",
            &megabytes.to_string(),
        ]);
        output(initdb.arg("-D").arg(server.data()));
        server.append("postgresql.conf", SETTINGS);
        server.again();
        server
    }

    /// Starts the server again after it was stopped.
    pub(crate) fn again(&self) {
        let socket = format!("-k {}", self.path().display());
        let mut start = self.program("pg_ctl");
        start
            .args(["-w", "-s", "-o", &socket, "-l"])
            .arg(self.path().join("log"))
            .arg("-D")
            .arg(self.data());
        let status = start.arg("start").stdout(Stdio::null()).status().unwrap();
        assert!(
            status.success(),
            "{}",
            output(Command::new("cat").arg(self.path().join("log")))
        );
    }

    /// Stops it: `fast`, or `immediate` as in a crash.
    pub(crate) fn stop(&self, mode: &str) {
        output(
            self.program("pg_ctl")
                .args(["-w", "-s", "-m", mode, "-D"])
                .arg(self.data())
                .arg("stop"),
        );
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Adds to a file of the data directory, as the user that owns it.
    pub(crate) fn append(&self, file: &str, text: &str) {
        let append = format!("cat >> '{}'", self.data().join(file).display());
        let mut append = self
            .as_owner("sh")
            .args(["-c", &append])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        append.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(append.wait().unwrap().success());
    }

    /// Makes a directory for a tablespace.
    pub(crate) fn make_directory(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        output(self.as_owner("mkdir").arg(&path));
        path
    }

    fn as_owner(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = match is_root() {
            true => Command::new("setpriv"),
            false => Command::new(program.as_ref()),
        };
        if is_root() {
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(program);
        }
        command.current_dir("/");
        command
    }

    /// A program of the server's, with the libraries that travel with it.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = self.as_owner(self.bin.join(name));
        if !self.bin.starts_with("/usr") {
            command.env("LD_LIBRARY_PATH", self.bin.with_file_name("lib"));
        }
        command
    }

    /// A program that connects to it, with these settings in its sessions.
    pub(crate) fn client(&self, name: &str, settings: &str) -> Command {
        let mut command = self.as_owner(client_bin().join(name));
        command.env("PGOPTIONS", settings).env("PGCLIENTENCODING", "UTF8");
        command.args(["-U", "postgres", "-h"]).arg(self.path());
        command
    }

    /// Runs SQL in one session, a statement at a time; the lines of its answers.
    pub(crate) fn psql_with(&self, settings: &str, sql: &str) -> Vec<String> {
        let mut psql = self.client("psql", settings);
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut to = psql.stdin.take().unwrap();
        let written = to.write_all(sql.as_bytes());
        drop(to);
        let done = psql.wait_with_output().unwrap();
        assert!(done.status.success(), "psql failed: {written:?}");
        String::from_utf8(done.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn psql(&self, sql: &str) -> Vec<String> {
        self.psql_with("", sql)
    }

    /// The only value of a query.
    pub(crate) fn value(&self, sql: &str) -> String {
        self.psql(sql).pop().unwrap_or_else(|| panic!("no answer to {sql}"))
    }

    pub(crate) fn lsn(&self, sql: &str) -> Lsn {
        self.value(sql).parse().unwrap()
    }

    /// Runs pgbench for so many transactions.
    pub(crate) fn pgbench(&self, settings: &str, transactions: u32) {
        let mut bench = self.client("pgbench", settings);
        output(bench.args(["-n", "-c", "2", "-t", &transactions.to_string(), "postgres"]));
    }

    /// The segments of `pg_wal` from the first one on as far as they follow each other, without those that are made in
    /// advance and not reached yet.
    pub(crate) fn segments(&self) -> Vec<SegmentName> {
        let end = self.lsn("SELECT pg_current_wal_insert_lsn()");
        let mut segments = self.files();
        segments.retain(|segment| segment.start() < end);
        segments
    }

    /// All segment files of `pg_wal`, sorted.
    pub(crate) fn files(&self) -> Vec<SegmentName> {
        let listing = output(Command::new("ls").arg(self.data().join("pg_wal")));
        let files = listing.lines().filter_map(|name| WalFile::parse(name, self.size).ok());
        let mut segments: Vec<_> = files
            .filter_map(|file| match file {
                WalFile::Segment(segment) => Some(segment),
                WalFile::Partial(_) | WalFile::Backup { .. } | WalFile::History(_) => None,
            })
            .collect();
        segments.sort();
        segments
    }

    pub(crate) fn segment_path(&self, segment: SegmentName) -> PathBuf {
        self.data().join("pg_wal").join(segment.to_string())
    }

    pub(crate) fn read(&self, segment: SegmentName) -> Vec<u8> {
        let bytes = read(&self.segment_path(segment));
        assert_eq!(bytes.len(), self.size.bytes() as usize);
        bytes
    }
}

/// What a file holds.
#[expect(
    clippy::disallowed_methods,
    reason = "the crate does no IO, its tests read what servers wrote"
)]
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")) == "0\n"
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that never started, or was stopped, has nothing to stop.
        let mut stop = self.program("pg_ctl");
        stop.args(["-s", "-m", "immediate", "-D"]).arg(self.data()).arg("stop");
        drop(stop.stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}
