//! A PostgreSQL server of one test's own: made by initdb, on free ports, gone with the test.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use synapse_wal_client::{Connection, Dsn, Error, Kind, Session};
use tempfile::TempDir;

/// Another process may take the free port before the server does.
const START_ATTEMPTS: usize = 5;

pub(crate) struct Server {
    directory: TempDir,
    port: u16,
    settings: String,
}

impl Server {
    /// Starts a server with these lines in `postgresql.conf` and `pg_hba.conf`. The local socket is open to everybody.
    pub(crate) fn start(settings: &str, access: &str) -> Server {
        Self::start_with(settings, access, &[])
    }

    /// As [`Server::start`], with these files (name and content, private to the server) in its data directory.
    pub(crate) fn start_with(settings: &str, access: &str, files: &[(&str, String)]) -> Server {
        let directory = tempfile::Builder::new().prefix("wc").tempdir_in("/tmp").unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        own(directory.path());
        let mut server = Server {
            directory,
            port: 0,
            settings: settings.to_owned(),
        };
        let data = server.data().display().to_string();
        let initdb = [
            "-D",
            &data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ];
        assert!(run("initdb", &initdb), "initdb failed in {data}");
        let access = format!("local all all trust\nlocal replication all trust\n{access}\n");
        fs::write(server.data().join("pg_hba.conf"), access).unwrap();
        for (name, content) in files {
            server.put(name, content, 0o600);
        }
        server.begin();
        server
    }

    /// A file that only the server's user may read; its path.
    pub(crate) fn put(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.data().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        own(&path);
        path
    }

    pub(crate) fn begin(&mut self) {
        for _ in 0..START_ATTEMPTS {
            self.port = TcpListener::bind(("127.0.0.1", 0))
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let socket = self.directory.path().display();
            let fixed = "wal_level = logical\nfsync = off\nlisten_addresses = '127.0.0.1'\nmax_connections = 20";
            let port = self.port;
            let conf = format!(
                "{fixed}\nport = {port}\nunix_socket_directories = '{socket}'\n{}\n",
                self.settings
            );
            fs::write(self.data().join("postgresql.conf"), conf).unwrap();
            let log = self.directory.path().join("log").display().to_string();
            if run(
                "pg_ctl",
                &["-D", &self.data().display().to_string(), "-w", "-l", &log, "start"],
            ) {
                return;
            }
        }
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start:\n{log}");
    }

    /// Stops the server in a mode of `pg_ctl`; whether it did.
    pub(crate) fn stop(&self, mode: &str) -> bool {
        run(
            "pg_ctl",
            &["-D", &self.data().display().to_string(), "-w", "-m", mode, "stop"],
        )
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A connection string for the local socket.
    pub(crate) fn local(&self) -> Dsn {
        let socket = self.directory.path().display();
        format!("host={socket} port={} user=postgres dbname=postgres", self.port)
            .parse()
            .unwrap()
    }

    /// A connection string for TCP with these further keywords.
    pub(crate) fn tcp(&self, keywords: &str) -> Dsn {
        let dsn = format!(
            "host=localhost hostaddr=127.0.0.1 port={} dbname=postgres {keywords}",
            self.port
        );
        dsn.parse().unwrap()
    }

    /// A session of the superuser in which SQL works.
    pub(crate) async fn sql(&self) -> Connection {
        logical(&self.local()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop("immediate");
    }
}

/// A `replication=database` session with default settings.
pub(crate) async fn logical(dsn: &Dsn) -> Result<Connection, Error> {
    Connection::connect(dsn, Kind::Logical, &Session::default()).await
}

/// The first value of the last result.
pub(crate) async fn value(connection: &mut Connection, sql: &str) -> Option<String> {
    connection
        .rows(sql)
        .await
        .unwrap()
        .into_iter()
        .flatten()
        .next()
        .flatten()
}

/// Runs one of PostgreSQL's programs, as `postgres` when this is root: the server refuses root.
fn run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(binaries().join(program));
    command
        .args(arguments)
        .current_dir("/tmp")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some((uid, gid)) = server_user() {
        command.uid(uid).gid(gid);
    }
    command
        .status()
        .unwrap_or_else(|error| panic!("{program} does not run: {error}"))
        .success()
}

/// `$PG_BIN`, else the newest of Debian's folders.
fn binaries() -> PathBuf {
    if let Some(named) = std::env::var_os("PG_BIN") {
        return named.into();
    }
    let installed = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed, or PG_BIN names its programs");
    let major = |path: &Path| path.file_name()?.to_str()?.parse::<u16>().ok();
    let newest = installed
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| major(path));
    newest.expect("a version of PostgreSQL is installed").join("bin")
}

/// User and group of `postgres` when this process is root.
fn server_user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users
        .lines()
        .find_map(|line| line.strip_prefix("postgres:"))
        .expect("root needs a user named postgres");
    let fields: Vec<&str> = line.split(':').collect();
    Some((fields[1].parse().unwrap(), fields[2].parse().unwrap()))
}

fn own(path: &Path) {
    if let Some((uid, gid)) = server_user() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}
