use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use synapse_engine_sandbox::{PgBin, demo};

use crate::output::{Output, narrate};

/// Show it all at work: a local cluster, load on every node, convergence, comparison.
#[derive(Args)]
pub(crate) struct Demo {
    /// The cluster's directory [default: $SYNAPSE_DEMO_DIR, else ./.demo]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// How many nodes
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// How long the load runs, in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    duration: u64,
    /// The first port; by default the first range that is free
    #[arg(long)]
    base_port: Option<u16>,
    /// PostgreSQL binaries: DIR or n1=DIR,n2=DIR
    #[arg(long)]
    pg_bin: Option<PgBin>,
    /// The daemon; by default synapsed beside this program
    #[arg(long)]
    synapsed: Option<PathBuf>,
    /// Stop and remove the cluster of an earlier demo, and do nothing else
    #[arg(long)]
    down: bool,
}

impl Demo {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        // Read here and not by clap: make exports the variable empty when nobody has set it.
        let from_environment = || {
            std::env::var_os("SYNAPSE_DEMO_DIR")
                .filter(|dir| !dir.is_empty())
                .map(PathBuf::from)
        };
        let dir = match self.dir.or_else(from_environment) {
            Some(dir) => dir,
            None => demo::default_dir()?,
        };
        if self.down {
            demo::down(&dir, &narrate).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let options = demo::Options {
            dir,
            nodes: self.nodes,
            duration: Duration::from_secs(self.duration),
            base_port: self.base_port,
            pg_bin: self.pg_bin.unwrap_or_default(),
            synapsed: self.synapsed,
            synapsectl: std::env::current_exe().context("cannot find the running program")?,
        };
        let report = demo::run(&options, &narrate).await?;
        output.print(&report, || report.to_string())?;
        Ok(if report.equal {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
