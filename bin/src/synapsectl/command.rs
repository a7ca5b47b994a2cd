use std::process::ExitCode;

use clap::Subcommand;

use crate::output::Output;
use crate::{api, apply, cert, conflict, demo, link, node, sandbox, status, table, verify, wait};

/// What can be asked for.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show a node: its peers, positions, lag, slot and conflicts
    Status,
    Wait(wait::Wait),
    Verify(verify::Verify),
    #[command(subcommand)]
    Table(table::Table),
    #[command(subcommand)]
    Apply(apply::Apply),
    #[command(subcommand)]
    Conflict(conflict::Conflict),
    #[command(subcommand)]
    Link(link::Link),
    #[command(subcommand)]
    Cert(cert::Cert),
    #[command(subcommand)]
    Node(node::Node),
    /// Run a local cluster
    #[command(subcommand)]
    Sandbox(sandbox::Sandbox),
    /// Show it all at work: a local cluster, load on every node, convergence, comparison
    Demo(demo::Demo),
}

impl Command {
    /// Does it, and answers with the exit code.
    pub(crate) async fn run(self, reach: &api::Reach, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Command::Status => status::run(reach, output),
            Command::Wait(command) => command.run(reach, output),
            Command::Verify(command) => command.run(reach, output).await,
            Command::Table(command) => command.run(reach, output),
            Command::Apply(command) => command.run(reach, output),
            Command::Conflict(command) => command.run(reach, output),
            Command::Link(command) => command.run(reach, output),
            Command::Cert(command) => command.run(),
            Command::Node(command) => command.run(reach, output).await,
            Command::Sandbox(command) => command.run(output).await,
            Command::Demo(command) => command.run(output).await,
        }
    }
}
