use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use synapse_engine_sandbox as library;
use synapse_engine_sandbox::{BASE_PORT_DEFAULT, Error, NodeRecord, PgBin, Record, StatementResult, run_sql};

use crate::output::{Output, narrate};

/// Run a local cluster.
#[derive(Subcommand)]
pub(crate) enum Sandbox {
    /// Make a cluster, or start one with kept data, and wait until it is healthy
    Up(Up),
    /// Stop a cluster and remove it
    Down {
        /// The cluster's directory
        #[arg(long)]
        dir: PathBuf,
        /// Stop it only
        #[arg(long)]
        keep_data: bool,
    },
    /// Add an empty node
    Add {
        /// The cluster's directory
        #[arg(long)]
        dir: PathBuf,
        /// The new node's name
        #[arg(long)]
        name: String,
        /// The new node's PostgreSQL binaries: DIR or NAME=DIR
        #[arg(long)]
        pg_bin: Option<PgBin>,
    },
    /// Stop a node: SIGTERM, fast shutdown
    Stop(OneNode),
    /// Start a node again
    Start(OneNode),
    /// Kill a node: SIGKILL
    Kill(OneNode),
    /// Run SQL on one node or on all
    Sql(Sql),
}

/// Options of `up`.
#[derive(Args)]
pub(crate) struct Up {
    /// The cluster's directory; made if it is not there
    #[arg(long)]
    dir: PathBuf,
    /// How many nodes
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// The first port: node i (from 0) has PostgreSQL at base + 10 i, its link at + 1, its API at + 2
    #[arg(long, default_value_t = BASE_PORT_DEFAULT)]
    base_port: u16,
    /// PostgreSQL binaries: DIR or n1=DIR,n2=DIR
    #[arg(long)]
    pg_bin: Option<PgBin>,
    /// The database to replicate
    #[arg(long, default_value = "app")]
    database: String,
    /// The daemon; by default synapsed beside this program
    #[arg(long)]
    synapsed: Option<PathBuf>,
}

/// Options of `stop`, `start` and `kill`.
#[derive(Args)]
pub(crate) struct OneNode {
    /// The cluster's directory
    #[arg(long)]
    dir: PathBuf,
    /// The node
    #[arg(long)]
    node: String,
    /// Which of its servers
    #[arg(long, value_enum, default_value_t)]
    what: What,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum What {
    /// PostgreSQL and the daemon
    #[default]
    Both,
    /// The daemon
    Engine,
    /// PostgreSQL
    Postgres,
}

/// Options of `sql`.
#[derive(Args)]
pub(crate) struct Sql {
    /// The cluster's directory
    #[arg(long)]
    dir: PathBuf,
    /// On every node, one after the other
    #[arg(long, required_unless_present = "node", conflicts_with = "node")]
    all: bool,
    /// On this node
    #[arg(long)]
    node: Option<String>,
    /// The statements, run as one transaction
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    sql: Option<String>,
    /// A file of statements, run as one transaction
    #[arg(short, long)]
    file: Option<PathBuf>,
}

#[derive(Serialize)]
struct NodeResults {
    node: String,
    results: Vec<StatementResult>,
}

impl Sandbox {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Sandbox::Up(options) => {
                let sandbox = library::Sandbox::up(&options.into(), &narrate).await?;
                let nodes = &sandbox.record().nodes;
                output.print(sandbox.record(), || {
                    nodes
                        .iter()
                        .map(|node| format!("{}  {}\n", node.name, node.dsn))
                        .collect()
                })?;
            }
            Sandbox::Down { dir, keep_data } => library::Sandbox::open(&dir)?.down(keep_data, &narrate).await?,
            Sandbox::Add { dir, name, pg_bin } => {
                library::Sandbox::open(&dir)?
                    .add(&name, &pg_bin.unwrap_or_default(), &narrate)
                    .await?;
            }
            Sandbox::Stop(one) => {
                library::Sandbox::open(&one.dir)?
                    .stop(&one.node, one.what.into(), &narrate)
                    .await?
            }
            Sandbox::Start(one) => {
                library::Sandbox::open(&one.dir)?
                    .start(&one.node, one.what.into(), &narrate)
                    .await?
            }
            Sandbox::Kill(one) => {
                library::Sandbox::open(&one.dir)?
                    .kill(&one.node, one.what.into(), &narrate)
                    .await?
            }
            Sandbox::Sql(sql) => sql.run(output).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Sql {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let record = Record::load(&self.dir)?;
        let text = match (&self.sql, &self.file) {
            (Some(sql), _) => sql.clone(),
            (None, Some(file)) => {
                let read = std::fs::read_to_string(file);
                read.with_context(|| format!("cannot read {}", file.display()))?
            }
            (None, None) => {
                return Err(Error::Usage {
                    what: "give SQL or -f FILE".to_owned(),
                }
                .into());
            }
        };
        let nodes: Vec<&NodeRecord> = match &self.node {
            Some(name) => vec![record.node(name)?],
            None => record.nodes.iter().collect(),
        };
        let mut all = Vec::new();
        for node in nodes {
            let results = run_sql(node, &record.database, &text).await?;
            all.push(NodeResults {
                node: node.name.clone(),
                results,
            });
        }
        output.print(&all, || all.iter().map(|one| one.as_text(self.all)).collect())
    }
}

impl NodeResults {
    fn as_text(&self, with_name: bool) -> String {
        let heading = if with_name {
            format!("{}:\n", self.node)
        } else {
            String::new()
        };
        self.results
            .iter()
            .fold(heading, |text, result| text + &result.to_string())
    }
}

impl From<Up> for library::Options {
    fn from(up: Up) -> Self {
        library::Options {
            nodes: up.nodes,
            base_port: up.base_port,
            pg_bin: up.pg_bin.unwrap_or_default(),
            database: up.database,
            synapsed: up.synapsed,
            ..library::Options::new(up.dir)
        }
    }
}

impl From<What> for library::What {
    fn from(what: What) -> Self {
        match what {
            What::Both => library::What::Both,
            What::Engine => library::What::Engine,
            What::Postgres => library::What::Postgres,
        }
    }
}
