use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// A server of its own, on a Unix socket in a directory of its own: no port to share. It dies with the value.
pub(crate) struct Server {
    bin: PathBuf,
    directory: TempDir,
}

/// Small enough that transactions of some hundred rows are streamed, and nothing is lost by never syncing.
const SETTINGS: &str = "
wal_level = logical
logical_decoding_work_mem = 64kB
max_prepared_transactions = 10
fsync = off
listen_addresses = ''
timezone = 'UTC'
autovacuum = off
";

fn newest_bin() -> PathBuf {
    if let Some(bin) = option_env!("SYNAPSE_POSTGRES_BIN") {
        return bin.into();
    }
    let bins = (14..=18)
        .rev()
        .map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")));
    bins.into_iter()
        .find(|bin| bin.join("postgres").exists())
        .expect("a PostgreSQL server from 14 to 18 is installed")
}

fn output(command: &mut Command) -> Vec<u8> {
    let done = command.output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    done.stdout
}

fn unhex(line: &str) -> Vec<u8> {
    let digits = line.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

impl Server {
    pub(crate) fn start() -> Server {
        let directory = tempfile::Builder::new().prefix("pgo").tempdir_in("/tmp").unwrap();
        let server = Server {
            bin: newest_bin(),
            directory,
        };
        if server.is_root() {
            output(Command::new("chown").arg("postgres:").arg(server.path()));
        }
        output(
            server
                .program("initdb")
                .args(["-N", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D"])
                .arg(server.data()),
        );
        let settings = format!("cat >> '{}'", server.data().join("postgresql.conf").display());
        let mut append = Command::new("sh")
            .args(["-c", &settings])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        append.stdin.take().unwrap().write_all(SETTINGS.as_bytes()).unwrap();
        assert!(append.wait().unwrap().success());
        let socket = format!("-k {}", server.path().display());
        let log = server.path().join("log");
        let mut start = server.program("pg_ctl");
        start
            .args(["-w", "-s", "-o", &socket, "-l"])
            .arg(log)
            .arg("-D")
            .arg(server.data())
            .arg("start");
        assert!(start.stdout(Stdio::null()).status().unwrap().success());
        server
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn is_root(&self) -> bool {
        output(Command::new("id").arg("-u")) == b"0\n"
    }

    /// A program of the server's, run as a user that it accepts.
    fn program(&self, name: &str) -> Command {
        let mut command = match self.is_root() {
            true => Command::new("setpriv"),
            false => Command::new(self.bin.join(name)),
        };
        if self.is_root() {
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(self.bin.join(name));
        }
        command.current_dir("/");
        command
    }

    fn client(&self, name: &str) -> Command {
        let mut command = self.program(name);
        command
            .args(["-U", "postgres", "-d", "postgres", "-h"])
            .arg(self.path());
        command
    }

    /// Runs SQL in one session; the lines of its answers.
    pub(crate) fn psql(&self, sql: &str) -> Vec<String> {
        let mut session = self.session();
        let answer = session.run(sql);
        drop(session);
        answer
    }

    pub(crate) fn session(&self) -> Session {
        let mut command = self.client("psql");
        command
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1"])
            .env("PGCLIENTENCODING", "UTF8");
        let mut psql = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (psql.stdin.take().unwrap(), BufReader::new(psql.stdout.take().unwrap()));
        Session { psql, to, from }
    }

    /// The server's major version.
    pub(crate) fn major(&self) -> u32 {
        self.psql("SELECT current_setting('server_version_num')::int / 10000")[0]
            .parse()
            .unwrap()
    }

    /// The newest way of streaming that the server knows.
    pub(crate) fn streaming_options(&self) -> &'static str {
        match self.major() {
            16.. => "'proto_version', '4', 'streaming', 'parallel'",
            _ => "'proto_version', '2', 'streaming', 'on'",
        }
    }

    /// The messages that a pgoutput slot holds, without taking them.
    pub(crate) fn peek(&self, slot: &str, options: &str) -> Vec<Vec<u8>> {
        let sql = format!(
            "SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('{slot}', NULL, NULL, \
             'publication_names', 'everything', 'messages', 'on', {options})"
        );
        self.psql(&sql).iter().map(|line| unhex(line)).collect()
    }

    /// The lines that a `test_decoding` slot holds.
    pub(crate) fn told(&self, slot: &str) -> Vec<String> {
        let sql = format!(
            "SELECT encode(convert_to(data, 'UTF8'), 'hex') FROM pg_logical_slot_peek_changes('{slot}', NULL, NULL)"
        );
        self.psql(&sql)
            .iter()
            .map(|line| String::from_utf8(unhex(line)).unwrap())
            .collect()
    }

    /// The names that `test_decoding` gives to types.
    pub(crate) fn type_names(&self) -> HashMap<u32, String> {
        let lines = self.psql("SELECT oid || ' ' || format_type(oid, NULL) FROM pg_type");
        let pairs = lines.iter().map(|line| line.split_once(' ').unwrap());
        pairs
            .map(|(oid, name)| (oid.parse().unwrap(), name.to_owned()))
            .collect()
    }

    /// All that a walsender sends of a slot up to now.
    pub(crate) fn receive(&self, slot: &str, options: &str) -> Vec<u8> {
        let end = self.psql("SELECT pg_current_wal_flush_lsn()").remove(0);
        let mut command = self.client("pg_recvlogical");
        command.args(["--start", "--no-loop", "--slot", slot, "--endpos", &end, "-f", "-"]);
        command.args(["-o", "publication_names=everything", "-o", "messages=on"]);
        let words: Vec<&str> = options.split(", ").map(|word| word.trim_matches('\'')).collect();
        for pair in words.chunks(2) {
            command.arg("-o").arg(pair.join("="));
        }
        output(&mut command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that never started has nothing to stop.
        let mut stop = self.program("pg_ctl");
        stop.args(["-s", "-m", "immediate", "-D"]).arg(self.data()).arg("stop");
        drop(stop.stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

/// A session that runs what it is told, when it is told: transactions of several sessions interleave as a test wants.
pub(crate) struct Session {
    psql: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// No answer of the tests looks like it.
const DONE: &str = "-- done --";

impl Session {
    /// Runs SQL and waits for its end; the lines of its answers.
    pub(crate) fn run(&mut self, sql: &str) -> Vec<String> {
        writeln!(self.to, "{sql};\n\\echo '{DONE}'").unwrap();
        self.to.flush().unwrap();
        let mut answer = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "psql failed at {sql}");
            match line.strip_suffix('\n').unwrap() {
                DONE => return answer,
                line => answer.push(line.to_owned()),
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A session that failed is gone already.
        drop(writeln!(self.to, "\\q"));
        drop(self.psql.wait());
    }
}
