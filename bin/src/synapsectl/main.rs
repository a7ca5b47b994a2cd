//! `synapsectl`: asks and steers a cluster, and runs local ones.

mod api;
mod apply;
mod cert;
mod columns;
mod command;
mod conflict;
mod demo;
mod exit;
mod follow;
mod link;
mod node;
mod output;
mod printable;
mod sandbox;
mod status;
mod table;
mod verify;
mod wait;

use std::process::ExitCode;

use clap::Parser;

use output::Output;

#[derive(Parser)]
#[command(
    name = "synapsectl",
    version,
    about = "Asks and steers a SynapseDB cluster, and runs local ones",
    after_help = exit::HELP
)]
struct Arguments {
    /// How data are printed on stdout
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    reach: api::Reach,
    #[command(subcommand)]
    command: command::Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { output, reach, command } = Arguments::parse();
    command.run(&reach, output).await.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        exit::of(&error)
    })
}
