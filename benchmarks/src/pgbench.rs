//! pgbench: its options and its closing summary.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;

use crate::program::Raw;
use crate::sql::DATABASE;

/// Sessions of a load.
pub(crate) const CLIENTS: u32 = 4;

/// How long a load runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// This long.
    Time(Duration),
    /// This many transactions; a multiple of [`CLIENTS`].
    Transactions(u32),
}

/// How fast a load is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As fast as the server allows.
    Unlimited,
    /// This many transactions a second, on schedule.
    PerSecond(f64),
}

/// When a commit of the load returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// When it is durable, as the server has it by default.
    Durable,
    /// At once: only the making of a backlog, which nobody measures.
    Asynchronous,
}

/// A TPC-B load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) length: Length,
    pub(crate) pace: Pace,
    pub(crate) commit: Commit,
}

/// What pgbench says at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) transactions: u64,
    /// Committed per second, without connection time.
    pub(crate) tps: f64,
}

/// Runs a load on the server of this port.
pub(crate) async fn run(bin: &Path, raw: &Raw, name: &str, port: u16, load: Load) -> anyhow::Result<Summary> {
    let mut command = command(bin, port);
    command.args(["-n", "-M", "prepared", "-j", "1", "-c", &CLIENTS.to_string()]);
    match load.length {
        Length::Time(time) => command.args(["-T", &time.as_secs().max(1).to_string()]),
        Length::Transactions(count) => command.args(["-t", &count.div_ceil(CLIENTS).to_string()]),
    };
    if let Pace::PerSecond(rate) = load.pace {
        command.args(["-R", &format!("{rate:.1}")]);
    }
    if load.commit == Commit::Asynchronous {
        command.env("PGOPTIONS", "-c synchronous_commit=off");
    }
    let ran = raw.run(name, command.arg(DATABASE)).await?;
    parse(&ran.stdout).with_context(|| format!("cannot read pgbench's summary:\n{}", ran.stdout))
}

/// Runs initialisation steps (`dtp`, `g`) on the server of this port.
pub(crate) async fn initialize(
    bin: &Path,
    raw: &Raw,
    name: &str,
    port: u16,
    steps: &str,
    scale: u32,
) -> anyhow::Result<()> {
    let mut command = command(bin, port);
    command.args(["-i", "-q", "-I", steps, "-s", &scale.to_string(), DATABASE]);
    raw.run(name, &mut command).await.map(|_| ())
}

fn command(bin: &Path, port: u16) -> Command {
    let mut command = Command::new(bin.join("pgbench"));
    command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string()]);
    command
}

fn parse(text: &str) -> Option<Summary> {
    let after = |prefix: &str| text.lines().find_map(|line| line.strip_prefix(prefix));
    // With -t it says `400/400`, with -T the first number alone.
    let transactions = after("number of transactions actually processed: ")?
        .split('/')
        .next()?;
    let tps = after("tps = ")?.split(' ').next()?;
    Some(Summary {
        transactions: transactions.parse().ok()?,
        tps: tps.parse().ok()?,
    })
}

#[cfg(test)]
mod tests;
