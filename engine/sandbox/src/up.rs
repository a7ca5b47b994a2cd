//! `up`: from nothing, or from kept data, to a healthy cluster; and the making of a node's record.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use futures_util::future::try_join_all;
use synapse_engine_identity::NodeId;

use crate::Narrator;
use crate::certificates;
use crate::engine::Health;
use crate::error::{Error, Result};
use crate::files;
use crate::owner::Owner;
use crate::ports::{BASE_PORT_DEFAULT, NodePorts, PortPlan};
use crate::record::{NodeRecord, Record};
use crate::sandbox::{Lock, Sandbox};
use crate::servers::{PgBin, Server};

/// The name of every sandbox's cluster.
const CLUSTER: &str = "sandbox";
/// Names in the sandbox's directory that no node may have.
const RESERVED: [&str; 4] = ["bin", "ca", "s", "token"];
/// Bytes of randomness in the API's token.
const TOKEN_BYTES: usize = 32;

/// What `up` is to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// The sandbox's directory; made if it is not there.
    pub dir: PathBuf,
    /// How many nodes: 1 to 15.
    pub nodes: usize,
    /// The first port.
    pub base_port: u16,
    /// Where PostgreSQL is.
    pub pg_bin: PgBin,
    /// The database to replicate: lower-case letters, digits and `_`.
    pub database: String,
    /// The daemon; `None` for `synapsed` beside the running program.
    pub synapsed: Option<PathBuf>,
    /// Made by the demo.
    pub demo: bool,
}

impl Options {
    /// Three nodes from port 7400 up, database `app`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Options {
        Options {
            dir,
            nodes: 3,
            base_port: BASE_PORT_DEFAULT,
            pg_bin: PgBin::Find,
            database: "app".to_owned(),
            synapsed: None,
            demo: false,
        }
    }
}

impl Sandbox {
    /// Makes a sandbox, or starts one with kept data again (then only `dir`, `pg_bin` and `synapsed` of the options
    /// count), and waits until every node is ready.
    ///
    /// # Errors
    /// [`Error::Refused`] when it runs already or the directory holds other things, [`Error::PortBusy`] and
    /// [`Error::NotEnterable`] before anything is started, [`Error::NotReady`] with nothing left running.
    pub async fn up(options: &Options, narrate: Narrator<'_>) -> Result<Sandbox> {
        let mut sandbox = Sandbox::plan(options)?;
        sandbox.install()?;
        let outcome = sandbox.bring_up(narrate).await;
        if let Err(error) = outcome {
            narrate("it failed: stopping what was started");
            sandbox.stop_all().await?;
            return Err(error);
        }
        Ok(sandbox)
    }

    /// Everything that can be refused before anything starts; leaves a locked directory with a record.
    fn plan(options: &Options) -> Result<Sandbox> {
        let dir = files::absolute(&options.dir)?;
        let owner = Owner::detect()?;
        owner.check_can_enter(&dir)?;
        let record = if Record::exists(&dir) {
            kept(&dir, options)?
        } else {
            fresh(&dir, options)?
        };
        for node in &record.nodes {
            owner.check_can_enter(&node.pg_bin.join("postgres"))?;
            NodePorts::above(node.postgres_port).check_free(&node.name)?;
        }
        fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        owner.check_can_enter(&dir)?;
        owner.give(&dir)?;
        let lock = Lock::take(&dir)?;
        let mut sandbox = Sandbox {
            dir,
            owner,
            record,
            lock,
        };
        let program = sandbox.record.synapsed.clone();
        sandbox.record.synapsed = sandbox.reachable(&program)?;
        sandbox.save()?;
        Ok(sandbox)
    }

    /// What all nodes share: authority, token, directory of sockets.
    pub(crate) fn install(&self) -> Result<()> {
        certificates::make_authority(&self.ca_dir(), CLUSTER, &self.owner)?;
        let sockets = self.socket_dir();
        self.owner.make_dir(&sockets, 0o755)?;
        let token = self.token_file();
        if !token.is_file() {
            let bytes: [u8; TOKEN_BYTES] = rand::random();
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            files::replace(&token, format!("{text}\n").as_bytes(), 0o600)?;
            self.owner.give(&token)?;
        }
        Ok(())
    }

    async fn bring_up(&mut self, narrate: Narrator<'_>) -> Result<()> {
        narrate("preparing PostgreSQL");
        try_join_all(self.record.nodes.iter().map(|record| {
            let node = self.node(record);
            async move { node.prepare().await }
        }))
        .await?;
        narrate("starting PostgreSQL");
        let names: Vec<String> = self.record.nodes.iter().map(|node| node.name.clone()).collect();
        for name in &names {
            self.launch_postgres(name).await?;
        }
        try_join_all(names.iter().map(|name| self.wait_for_postgres(name))).await?;
        narrate("starting synapsed");
        for name in &names {
            self.launch_engine(name)?;
        }
        narrate("waiting until every node streams with every other");
        try_join_all(names.iter().map(|name| self.wait_for_engine(name, Health::Ready))).await?;
        Ok(())
    }

    /// A path at which the servers' user can run the program: its own, or that of a copy in the sandbox.
    fn reachable(&self, program: &Path) -> Result<PathBuf> {
        let barred = self.owner.barred_from(program)?.is_some();
        let copy = self.dir.join("bin").join("synapsed");
        if !barred || program == copy {
            return Ok(program.to_owned());
        }
        self.owner.make_dir(&self.dir.join("bin"), 0o755)?;
        let bytes = fs::read(program).map_err(Error::io("read", program))?;
        files::replace(&copy, &bytes, 0o755)?;
        self.owner.give(&copy)?;
        Ok(copy)
    }
}

/// The record of a sandbox that is to be made in `dir`.
fn fresh(dir: &Path, options: &Options) -> Result<Record> {
    let plan = PortPlan::new(options.base_port, options.nodes)?;
    check_database(&options.database)?;
    match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            let what = format!("{} is not empty and holds no sandbox", dir.display());
            return Err(Error::Refused { what });
        }
        Ok(false) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("list", dir)(error)),
    }
    let names: Vec<String> = (1..=options.nodes).map(|number| format!("n{number}")).collect();
    options.pg_bin.check_names(names.iter().map(String::as_str))?;
    let node = |(index, name): (usize, &String)| {
        let server = options.pg_bin.server_for(name)?;
        node_record(dir, name, plan.of(index)?, &server, &options.database)
    };
    Ok(Record {
        cluster: CLUSTER.to_owned(),
        base_port: options.base_port,
        database: options.database.clone(),
        synapsed: synapsed(options)?,
        demo: options.demo,
        nodes: names.iter().enumerate().map(node).collect::<Result<_>>()?,
    })
}

/// The record of a sandbox that was kept, with the programs that are there now.
fn kept(dir: &Path, options: &Options) -> Result<Record> {
    let mut record = Record::load(dir)?;
    let running = record.running();
    if !running.is_empty() {
        let what = format!("the sandbox in {} is running: {}", dir.display(), running.join(", "));
        return Err(Error::Refused { what });
    }
    options
        .pg_bin
        .check_names(record.nodes.iter().map(|node| node.name.as_str()))?;
    for node in &mut record.nodes {
        let had = Server {
            bin: node.pg_bin.clone(),
            version: node.pg_version.clone(),
        };
        let now = match &options.pg_bin {
            PgBin::PerNode(dirs) if dirs.contains_key(&node.name) => options.pg_bin.server_for(&node.name)?,
            PgBin::All(dir) => Server::in_dir(dir)?,
            PgBin::PerNode(_) | PgBin::Find => Server::in_dir(&had.bin)?,
        };
        if now.major() != had.major() {
            let what = format!(
                "the data of {} are of PostgreSQL {}, not {}",
                node.name,
                had.major(),
                now.version
            );
            return Err(Error::Refused { what });
        }
        (node.pg_bin, node.pg_version) = (now.bin, now.version);
        node.set_engine(None);
        node.set_postgres(None);
    }
    record.synapsed = synapsed(options)?;
    Ok(record)
}

/// A node that is down.
pub(crate) fn node_record(
    dir: &Path,
    name: &str,
    ports: NodePorts,
    server: &Server,
    database: &str,
) -> Result<NodeRecord> {
    let parsed: std::result::Result<NodeId, _> = name.parse();
    parsed.map_err(|error| Error::Usage {
        what: format!("{name:?} is no name for a node: {error}"),
    })?;
    if RESERVED.contains(&name) {
        return Err(Error::Usage {
            what: format!("{name:?} is no name for a node: the sandbox has a file of that name"),
        });
    }
    let node_dir = dir.join(name);
    Ok(NodeRecord {
        name: name.to_owned(),
        dsn: format!("host=127.0.0.1 port={} user=postgres dbname={database}", ports.postgres),
        postgres_port: ports.postgres,
        link: format!("127.0.0.1:{}", ports.link),
        api: format!("http://127.0.0.1:{}", ports.api),
        config: node_dir.join("synapse.toml"),
        token_file: dir.join("token"),
        engine_pid: None,
        engine_start: None,
        postgres_pid: None,
        postgres_start: None,
        pg_version: server.version.clone(),
        pg_bin: server.bin.clone(),
        data_dir: node_dir.join("pgdata"),
        log: node_dir.join("synapsed.log"),
        postgres_log: node_dir.join("postgres.log"),
    })
}

/// A name that needs no quoting anywhere.
fn check_database(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let reserved = ["postgres", "template0", "template1"].contains(&name);
    if (1..=63).contains(&name.len()) && name.chars().all(allowed) && !reserved {
        return Ok(());
    }
    Err(Error::Usage {
        what: format!("--database {name:?}: expected 1 to 63 of a-z, 0-9 and _, and none of PostgreSQL's own"),
    })
}

fn synapsed(options: &Options) -> Result<PathBuf> {
    let program = match &options.synapsed {
        Some(program) => files::absolute(program)?,
        None => {
            let ours = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
            ours.with_file_name("synapsed")
        }
    };
    let runs = fs::metadata(&program).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    if runs {
        Ok(program)
    } else {
        Err(Error::Usage {
            what: format!("no program {}", program.display()),
        })
    }
}

#[cfg(test)]
pub(crate) mod on_postgres;
#[cfg(test)]
mod tests;
