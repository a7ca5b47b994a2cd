//! Reading and decoding: our client and decoder against `pg_recvlogical`, which writes what it reads to nowhere.
//!
//! Both start from copies of one slot, so that every run has the same backlog, and both run as a program of their own
//! with one thread. Ours does more: it decodes every message and follows transactions.

mod decode;

use std::path::PathBuf;

use anyhow::Context;
use synapse_wal_types::Lsn;
use tokio::process::Command;

use crate::measure::{Metric, Outcome, Side, micros_each};
use crate::native::publish;
use crate::pgbench::{Commit, Length, Load, Pace};
use crate::plain::PlainServer;
use crate::program::Ran;
use crate::run::{Session, say};
use crate::token::Writer;
use crate::{cluster, fill, pgbench, recvlogical, sql};

pub use decode::{Backlog, Decoded, decode};

const WALL: Metric = Metric::lower("wall", "s");
const BYTES: Metric = Metric::higher("pgoutput", "MB/s");
const CHANGES: Metric = Metric::higher("changes", "1/s");
const CPU: Metric = Metric::lower("client CPU per change", "us");
/// The slot that is never read, only copied.
const ORIGINAL: &str = "original";

/// A server with a backlog behind [`ORIGINAL`].
struct Source {
    server: PlainServer,
    until: Lsn,
}

pub(super) async fn measure(session: &Session<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let transactions = session.options.full_or_quick(200_000, 20_000);
    outcome.note(format!(
        "A backlog of {transactions} pgbench TPC-B transactions (4 changes each) of one server, read over its Unix socket \
         from copies of one slot with the same pgoutput options, streaming off. `pg_recvlogical` writes to /dev/null and \
         decodes nothing; ours decodes every message. The walsender's decoding sets the pace of both: the clients' own \
         cost is their processor time, of the whole program from start to end."
    ));
    let source = backlog(session, transactions).await?;
    // Both sides read the same bytes: what ours counts in them holds for the other.
    let counted = ours(session, &source, "capture-count").await?.1;
    outcome.note(format!(
        "{} bytes of pgoutput, {} changes, {} transactions.",
        counted.bytes, counted.changes, counted.transactions
    ));
    for round in 0..session.options.rounds() {
        for side in session.options.sides(round) {
            say(&format!("  round {}, {}", round + 1, side.name()));
            let label = format!("capture-{}-{}", round + 1, side.name());
            let ran = match side {
                Side::Ours => {
                    let (ran, decoded) = ours(session, &source, &label).await?;
                    anyhow::ensure!(decoded == counted, "{decoded:?} differs from {counted:?}");
                    ran
                }
                Side::Native => native(session, &source, &label).await?,
                Side::Alone => continue,
            };
            let seconds = ran.wall.as_secs_f64();
            let case = "backlog";
            outcome.add(case, WALL, side, seconds);
            outcome.add(case, BYTES, side, counted.bytes as f64 / 1e6 / seconds);
            outcome.add(case, CHANGES, side, counted.changes as f64 / seconds);
            outcome.add(case, CPU, side, micros_each(ran.cpu, counted.changes));
        }
    }
    Ok(outcome)
}

async fn backlog(session: &Session<'_>, transactions: u32) -> anyhow::Result<Source> {
    say("  making the backlog");
    let bin = &session.server.bin;
    let server = PlainServer::start(&session.place("capture"), bin).await?;
    let nodes = [cluster::Node {
        port: server.port,
        data_dir: server.data_dir.clone(),
    }];
    let scale = session.options.full_or_quick(20, 5);
    fill::tables(session, "capture-fill", &nodes, scale).await?;
    fill::rows(session, "capture-fill", &nodes, scale).await?;
    publish(&server).await?;
    let client = sql::connect(server.port, sql::DATABASE).await?;
    let create = format!("SELECT pg_create_logical_replication_slot('{ORIGINAL}', 'pgoutput')");
    sql::run(&client, &[create]).await?;
    let length = Length::Transactions(transactions);
    let load = Load {
        length,
        pace: Pace::Unlimited,
        commit: Commit::Asynchronous,
    };
    pgbench::run(bin, &session.raw, "capture-load", server.port, load).await?;
    // One durable commit after all: its end is where both stop.
    Writer::connect(server.port).await?.write().await?;
    let until = sql::value(&client, "SELECT pg_current_wal_flush_lsn()::text").await?;
    let until = until
        .parse()
        .map_err(|_| anyhow::anyhow!("{until} is no log position"))?;
    // A record beyond that position, so that it is reached.
    sql::run(&client, &["SELECT pg_logical_emit_message(true, 'benchmark', 'end')"]).await?;
    Ok(Source { server, until })
}

async fn ours(session: &Session<'_>, source: &Source, label: &str) -> anyhow::Result<(Ran, Decoded)> {
    let slot = copy(source, "ours").await?;
    let program: PathBuf = std::env::current_exe().context("cannot find the running program")?;
    let server = &source.server;
    let dsn = format!(
        "host='{}' port={} user=postgres dbname={}",
        server.socket_dir.display(),
        server.port,
        sql::DATABASE
    );
    let mut command = Command::new(program);
    command.args([
        "decode",
        "--dsn",
        &dsn,
        "--slot",
        slot,
        "--until",
        &source.until.to_string(),
    ]);
    let ran = session.raw.run(label, &mut command).await?;
    drop_slot(source, slot).await?;
    let decoded = serde_json::from_str(&ran.stdout).context("cannot read what the decoder counted")?;
    Ok((ran, decoded))
}

async fn native(session: &Session<'_>, source: &Source, label: &str) -> anyhow::Result<Ran> {
    let slot = copy(source, "native").await?;
    let (bin, major) = (&session.server.bin, session.server.major());
    let mut command = recvlogical::command(bin, &source.server, major, slot, Some(source.until));
    let ran = session.raw.run(label, &mut command).await?;
    drop_slot(source, slot).await?;
    Ok(ran)
}

/// A copy of the original slot: it has the same backlog.
async fn copy<'a>(source: &Source, name: &'a str) -> anyhow::Result<&'a str> {
    let client = sql::connect(source.server.port, sql::DATABASE).await?;
    let statement = format!("SELECT pg_copy_logical_replication_slot('{ORIGINAL}', '{name}')");
    sql::run(&client, &[statement]).await?;
    Ok(name)
}

async fn drop_slot(source: &Source, slot: &str) -> anyhow::Result<()> {
    let client = sql::connect(source.server.port, sql::DATABASE).await?;
    // The walsender ends a moment after its client: DROP_REPLICATION_SLOT could wait for it, SQL cannot.
    let end =
        format!("SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = '{slot}'");
    sql::run(&client, &[end, format!("SELECT pg_drop_replication_slot('{slot}')")]).await
}
