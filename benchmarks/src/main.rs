//! `synapse-benchmarks`: runs benchmarks and writes their report.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use synapse_benchmarks::{Backlog, Name, Options, decode, run};

#[derive(Parser)]
#[command(
    name = "synapse-benchmarks",
    version,
    about = "Measures SynapseDB against native logical replication"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every benchmark
    All(Options),
    /// Decoding a backlog: our client and decoder, and pg_recvlogical
    Capture(Options),
    /// Applying a backlog of pgbench transactions
    Catchup(Options),
    /// The highest pgbench rate whose lag stays bounded
    Steady(Options),
    /// From commit on one node to visible on another
    Latency(Options),
    /// What pgbench loses on a node that is replicated
    Overhead(Options),
    /// The initial copy of a second, empty node
    Copy(Options),
    /// Decode a slot's backlog and print what it held: the program that `capture` measures
    #[command(hide = true)]
    Decode(Backlog),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::All(options) => measure(&Name::ALL, &options),
        Command::Capture(options) => measure(&[Name::Capture], &options),
        Command::Catchup(options) => measure(&[Name::Catchup], &options),
        Command::Steady(options) => measure(&[Name::Steady], &options),
        Command::Latency(options) => measure(&[Name::Latency], &options),
        Command::Overhead(options) => measure(&[Name::Overhead], &options),
        Command::Copy(options) => measure(&[Name::Copy], &options),
        Command::Decode(backlog) => print_decoded(&backlog),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(names: &[Name], options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(run(names, options))?;
    println!("{}", report.display());
    Ok(())
}

/// One thread, as `pg_recvlogical` has one.
fn print_decoded(backlog: &Backlog) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let decoded = runtime.block_on(decode(backlog))?;
    println!("{}", serde_json::to_string(&decoded)?);
    Ok(())
}
