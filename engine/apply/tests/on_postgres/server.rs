//! A PostgreSQL server of a test's own.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::{Client, Config, NoTls};

/// A running server; stopped and removed when dropped.
pub(crate) struct Server {
    directory: tempfile::TempDir,
    process: Child,
}

const SETTINGS: &str = "
listen_addresses = ''
wal_level = logical
track_commit_timestamp = on
max_prepared_transactions = 5
fsync = off
autovacuum = off
shared_buffers = '400MB'
max_wal_size = '1GB'
";

impl Server {
    /// Makes and starts a server; `SYNAPSE_PG_BIN` names other binaries than those of PostgreSQL 15.
    pub(crate) async fn start() -> Server {
        Server::start_of(default_bin()).await
    }

    /// The same, and one of PostgreSQL 18 when it is named by `SYNAPSE_PG18_BIN` or lies in `.servers/18`.
    pub(crate) async fn each() -> Vec<Server> {
        let mut servers = vec![Server::start().await];
        let eighteen = std::env::var_os("SYNAPSE_PG18_BIN").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.servers/18/bin"),
            PathBuf::from,
        );
        if let Ok(bin) = eighteen.canonicalize()
            && bin != default_bin()
        {
            servers.push(Server::start_of(bin).await);
        }
        servers
    }

    async fn start_of(bin: PathBuf) -> Server {
        let directory = tempfile::Builder::new().prefix("sa").tempdir_in("/tmp").unwrap();
        let data = directory.path().join("d");
        let owner = owner();
        if let Some((uid, gid)) = owner {
            chown(directory.path(), Some(uid), Some(gid)).unwrap();
        }
        let run = |program: &str| command(&bin.join(program), directory.path(), owner);
        let made = run("initdb")
            .args([
                "--no-sync",
                "--no-instructions",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-D",
            ])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let path = data.join("postgresql.conf");
        let settings = fs::read_to_string(&path).unwrap() + SETTINGS;
        fs::write(&path, settings).unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let process = run("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(directory.path())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Server { directory, process };
        for _ in 0..600 {
            if server.config("postgres").connect(NoTls).await.is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}", fs::read_to_string(server.directory.path().join("log")).unwrap());
    }

    pub(crate) fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(self.directory.path())
            .user("postgres")
            .dbname(database);
        config
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join(".s.PGSQL.5432")
    }

    /// An application's session.
    pub(crate) async fn application(&self, database: &str) -> Client {
        let (client, connection) = self.config(database).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::QUIT);
        }
        let _ = self.process.wait();
    }
}

fn default_bin() -> PathBuf {
    let bin = std::env::var("SYNAPSE_PG_BIN").unwrap_or_else(|_| "/usr/lib/postgresql/15/bin".to_owned());
    PathBuf::from(bin)
}

fn command(program: &Path, directory: &Path, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(directory)
        .env("LD_LIBRARY_PATH", program.with_file_name("../lib"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some((uid, gid)) = owner {
        command.uid(uid).gid(gid);
    }
    command
}

/// PostgreSQL does not run as root: then the user `postgres` runs it.
fn owner() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("postgres:")).unwrap();
    let fields: Vec<&str> = line.split(':').collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}
