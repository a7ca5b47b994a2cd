use std::path::{Path, PathBuf};
use std::process::Command;

use synapse_engine_identity::Incarnation;
use synapse_engine_setup::{Share, Wanted};
use tokio_postgres::{Client, Config, NoTls};

/// What a server that can be a node is started with.
pub(crate) const FIT: &[&str] = &["wal_level=logical", "track_commit_timestamp=on"];

const SNAPSHOT: &str = "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
    SELECT concat_ws(' ', n.nspname, c.relname, c.relkind, c.relreplident, s.seqincrement, s.seqstart, s.seqmin, s.seqmax)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_sequence s ON s.seqrelid = c.oid
     WHERE n.nspname !~ '^pg_'
    UNION ALL SELECT concat_ws(' ', 'function', n.nspname, p.proname, md5(pg_get_functiondef(p.oid)))
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
    UNION ALL SELECT concat_ws(' ', 'CREATE PUBLICATION', pubname, 'FOR ALL TABLES', puballtables) FROM pg_publication
    UNION ALL SELECT concat_ws(' ', 'event trigger', evtname, evtenabled, evttags) FROM pg_event_trigger
    UNION ALL SELECT concat_ws(' ', 'schema', nspname, nspacl) FROM pg_namespace) AS lines (line)";

/// A PostgreSQL server of its own, on a Unix socket only; gone when dropped.
pub(crate) struct Server {
    bin: PathBuf,
    dir: PathBuf,
}

impl Server {
    /// One server of each kind that is here: the newest of the machine's packages, and PostgreSQL 18 when it is named by
    /// `SYNAPSE_PG18_BIN` or lies in `.servers/18`.
    pub(crate) fn each(settings: &[&str]) -> Vec<Server> {
        bins().into_iter().map(|bin| Server::start(bin, settings)).collect()
    }

    fn start(bin: PathBuf, settings: &[&str]) -> Server {
        let dir = run(as_postgres("mktemp").args(["-d", "/tmp/synset.XXXXXX"]));
        let server = Server {
            bin,
            dir: PathBuf::from(dir.trim()),
        };
        let data = server.dir.join("data");
        run(server
            .program("initdb")
            .args(["-N", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&data));
        let mut options = format!("-k {} -c listen_addresses='' -c fsync=off", server.dir.display());
        for setting in settings {
            options += &format!(" -c {setting}");
        }
        run(server
            .program("pg_ctl")
            .args(["-w", "-s", "-o", &options, "-l"])
            .arg(server.dir.join("log"))
            .arg("-D")
            .arg(&data)
            .arg("start"));
        server
    }

    /// A session of the superuser.
    pub(crate) async fn connect(&self, database: &str) -> Client {
        self.connect_as(database, "postgres").await
    }

    pub(crate) async fn connect_as(&self, database: &str, user: &str) -> Client {
        let mut config = Config::new();
        config.host_path(&self.dir).dbname(database).user(user);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A fresh database with a session of the superuser.
    pub(crate) async fn database(&self, name: &str) -> Client {
        let admin = self.connect("postgres").await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        self.connect(name).await
    }

    /// The schema as `pg_dump` writes it, without what changes from run to run; where that program is missing, what the
    /// catalogue says of the objects that we touch.
    pub(crate) async fn dump(&self, database: &str) -> String {
        if !self.bin.join("pg_dump").exists() {
            return value(&self.connect(database).await, SNAPSHOT).await;
        }
        let text = run(self
            .program("pg_dump")
            .args(["-s", "-U", "postgres", "-h"])
            .arg(&self.dir)
            .arg(database));
        text.lines()
            .filter(|line| !line.contains("restrict "))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn program(&self, name: &str) -> Command {
        let own = self.bin.join(name);
        let mut command = as_postgres(own.to_str().unwrap());
        command.env("LD_LIBRARY_PATH", self.bin.parent().unwrap().join("lib"));
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.dir.join("data");
        run(self
            .program("pg_ctl")
            .args(["-w", "-s", "-m", "immediate", "-D"])
            .arg(data)
            .arg("stop"));
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

/// What the node `n1`, the first of sixteen, wants.
pub(crate) fn wanted() -> Wanted {
    wanted_as("n1", 0)
}

pub(crate) fn wanted_as(node: &str, ordinal: u16) -> Wanted {
    Wanted {
        node: node.parse().unwrap(),
        cluster: "c".to_owned(),
        incarnation: Incarnation(7),
        share: Share::new(ordinal, 16).unwrap(),
        slot: "synapse_n1".parse().unwrap(),
        origins: 2,
        wal_senders: 1,
        exclude: Vec::new(),
    }
}

/// `last_value` and `is_called` of a sequence.
pub(crate) async fn position(client: &Client, sequence: &str) -> (i64, bool) {
    let row = client
        .query_one(&format!("SELECT last_value, is_called FROM {sequence}"), &[])
        .await
        .unwrap();
    (row.get(0), row.get(1))
}

/// One value of a query's first row.
pub(crate) async fn value<T: for<'a> tokio_postgres::types::FromSql<'a>>(client: &Client, query: &str) -> T {
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// The replica identity letter of a table.
pub(crate) async fn identity(client: &Client, table: &str) -> String {
    value(
        client,
        &format!("SELECT relreplident::text FROM pg_class WHERE oid = '{table}'::regclass"),
    )
    .await
}

fn bins() -> Vec<PathBuf> {
    let mut packaged: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.path().file_name()?.to_str()?.parse().ok())
        .map(|major: u32| (major, PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists() && bin.join("pg_dump").exists())
        .collect();
    packaged.sort();
    let newest = packaged.pop().map(|(_, bin)| bin);
    let eighteen = std::env::var_os("SYNAPSE_PG18_BIN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.servers/18/bin"),
        PathBuf::from,
    );
    let eighteen = eighteen
        .join("initdb")
        .exists()
        .then(|| eighteen.canonicalize().unwrap());
    let bins: Vec<PathBuf> = newest.into_iter().chain(eighteen).collect();
    assert!(!bins.is_empty(), "PostgreSQL is needed: apt-get install postgresql");
    bins
}

/// PostgreSQL does not run as root.
fn as_postgres(program: &str) -> Command {
    let is_root = run(Command::new("id").arg("-u")).trim() == "0";
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--", program]);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {log}");
    String::from_utf8(output.stdout).unwrap()
}
