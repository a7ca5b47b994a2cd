//! pgbench: tables, rows, load.

use std::path::PathBuf;
use std::process::Stdio;

use futures_util::future::try_join_all;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Duration, MissedTickBehavior, interval};

use super::status;
use crate::Narrator;
use crate::error::{Error, Result};
use crate::owner::Owner;
use crate::process::{Launch, arguments};
use crate::record::{NodeRecord, Record};
use crate::servers::Server;

/// 2 branches, 20 tellers, 200,000 accounts: few enough branches that nodes collide in almost every transaction.
const SCALE: &str = "2";
/// Sessions per node.
const CLIENTS: &str = "4";
/// From this major version on, pgbench repeats a transaction that lost a deadlock.
const RETRIES_SINCE: u32 = 15;
/// How much is kept of what pgbench says beside its progress: the cause stands first.
const SAID_BYTES_MAX: usize = 4 * 1024;
/// The most that is read of one pgbench's closing summary.
const SUMMARY_BYTES_MAX: u64 = 64 * 1024;

/// The program, and which options it knows.
pub(super) struct Pgbench {
    program: PathBuf,
    library_path: Option<PathBuf>,
    retries: bool,
}

/// What pgbench said at its end about one node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    /// Transactions committed.
    pub(super) transactions: u64,
    /// Transactions given up after every retry.
    pub(super) failed: u64,
    /// Committed per second, without connection time.
    pub(super) tps: f64,
}

impl Pgbench {
    /// The pgbench of one of the servers, or else of this machine: some packages of PostgreSQL bring none.
    pub(super) fn find(record: &Record) -> Result<Pgbench> {
        let of_nodes = record.nodes.iter().filter_map(|node| Server::in_dir(&node.pg_bin).ok());
        let of_machine = Server::on_machine().into_iter();
        of_nodes
            .chain(of_machine)
            .find_map(|server| {
                let program = server.program("pgbench")?;
                let retries = server.major() >= RETRIES_SINCE;
                Some(Pgbench {
                    program,
                    library_path: server.library_path(),
                    retries,
                })
            })
            .ok_or_else(|| Error::NoServer {
                what: "no server here brings pgbench, which the demo runs".to_owned(),
            })
    }

    /// Makes the tables on every node, then the rows on the first: they reach the others by replication.
    pub(super) async fn fill(&self, record: &Record) -> Result<()> {
        try_join_all(record.nodes.iter().map(|node| self.initialize(record, node, "dtp"))).await?;
        match record.nodes.first() {
            Some(first) => self.initialize(record, first, "g").await,
            None => Ok(()),
        }
    }

    pub(super) async fn initialize(&self, record: &Record, node: &NodeRecord, steps: &str) -> Result<()> {
        let port = node.postgres_port.to_string();
        let launch = Launch {
            program: self.program.clone(),
            arguments: arguments([
                &"-h",
                &"127.0.0.1",
                &"-p",
                &port,
                &"-U",
                &"postgres",
                &"-i",
                &"-I",
                &steps,
                &"-s",
                &SCALE,
                &"-q",
                &record.database,
            ]),
            library_path: self.library_path.clone(),
            owner: &Owner::Caller,
        };
        launch.run().await
    }

    /// Runs the load on all nodes at once, and says every second how it goes.
    pub(super) async fn run(&self, record: &Record, seconds: u64, narrate: Narrator<'_>) -> Result<Vec<Load>> {
        let (senders, receivers): (Vec<_>, Vec<_>) = record.nodes.iter().map(|_| watch::channel(0.0)).unzip();
        let runs = record
            .nodes
            .iter()
            .zip(senders)
            .map(|(node, tps)| self.run_on(record, node, seconds, tps));
        let all = try_join_all(runs);
        tokio::pin!(all);
        let mut every_second = interval(Duration::from_secs(1));
        every_second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        every_second.tick().await;
        let mut second = 0_u64;
        loop {
            tokio::select! {
                loads = &mut all => return loads,
                _ = every_second.tick() => {
                    second += 1;
                    let tps: Vec<f64> = receivers.iter().map(|receiver| *receiver.borrow()).collect();
                    narrate(&status::line(second, &tps, record, &status::of_all(record).await));
                }
            }
        }
    }

    async fn run_on(&self, record: &Record, node: &NodeRecord, seconds: u64, tps: watch::Sender<f64>) -> Result<Load> {
        let mut command = Command::new(&self.program);
        command.args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-n",
            "-j",
            "1",
            "-P",
            "1",
            "-c",
            CLIENTS,
        ]);
        command.args(["-p", &node.postgres_port.to_string(), "-T", &seconds.to_string()]);
        if self.retries {
            command.arg("--max-tries=100");
        }
        if let Some(path) = &self.library_path {
            command.env("LD_LIBRARY_PATH", path);
        }
        command
            .arg(&record.database)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io("run", &self.program))?;
        let (said, summary) = follow(&mut child, &tps)
            .await
            .map_err(Error::io("read from", &self.program))?;
        let status = child.wait().await.map_err(Error::io("wait for", &self.program))?;
        match parse_summary(&summary) {
            Some(load) if status.success() => Ok(load),
            Some(_) | None => Err(Error::Program {
                program: format!("{} on {}", self.program.display(), node.name),
                status: status.to_string(),
                output: format!("{said}{summary}"),
            }),
        }
    }
}

/// Reads both outputs to their end: progress goes to `tps`; returns what else was said, and the closing summary.
async fn follow(child: &mut Child, tps: &watch::Sender<f64>) -> std::io::Result<(String, String)> {
    let stdout = child.stdout.take().expect("the child was started with a pipe");
    let stderr = child.stderr.take().expect("the child was started with a pipe");
    let progress = async {
        let mut said = String::new();
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await? {
            match parse_progress(&line) {
                Some(value) => {
                    tps.send_replace(value);
                }
                None if said.len() < SAID_BYTES_MAX => said = said + &line + "\n",
                None => {}
            }
        }
        Ok::<String, std::io::Error>(said)
    };
    let mut summary = String::new();
    let mut stdout = stdout.take(SUMMARY_BYTES_MAX);
    let (said, _) = tokio::try_join!(progress, stdout.read_to_string(&mut summary))?;
    Ok((said, summary))
}

/// Reads `progress: 5.0 s, 812.3 tps, lat 4.9 ms stddev …`.
fn parse_progress(line: &str) -> Option<f64> {
    let (_, after_time) = line.strip_prefix("progress: ")?.split_once(" s, ")?;
    after_time.split_once(" tps")?.0.parse().ok()
}

/// Reads the closing summary; PostgreSQL before 15 counts no failures.
fn parse_summary(text: &str) -> Option<Load> {
    let after = |prefix: &str| text.lines().find_map(|line| line.strip_prefix(prefix));
    let number = |text: &str| text.split([' ', '/']).next()?.parse::<u64>().ok();
    let tps = after("tps = ")?.split(' ').next()?.parse().ok()?;
    let transactions = number(after("number of transactions actually processed: ")?)?;
    Some(Load {
        transactions,
        failed: after("number of failed transactions: ").and_then(number).unwrap_or(0),
        tps,
    })
}

#[cfg(test)]
mod tests;
