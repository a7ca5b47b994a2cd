//! A session: benchmarks one after the other, cleaned up behind, and reported.

use std::path::{Path, PathBuf};

use anyhow::Context;
use synapse_engine_sandbox::{Record, Sandbox, Server};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::benchmark::Name;
use crate::machine::Machine;
use crate::measure::Outcome;
use crate::options::Options;
use crate::ours;
use crate::program::Raw;
use crate::report::Report;

/// What all benchmarks of one run share.
pub(crate) struct Session<'a> {
    pub(crate) options: &'a Options,
    /// The binaries of both sides.
    pub(crate) server: Server,
    pub(crate) raw: Raw,
    scratch: TempDir,
}

/// Runs benchmarks and writes their report, whose path it returns. What ended well is reported also when a later one
/// fails.
///
/// # Errors
/// The first benchmark's that fails; the others are not run. Nothing is left running in any case.
pub async fn run(names: &[Name], options: &Options) -> anyhow::Result<PathBuf> {
    let directory = options.report_dir();
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let server = Server::find()?;
    let mut report = Report::new(Machine::look(&server.version, &options.daemon()), options);
    let session = Session {
        options,
        server,
        raw: Raw::in_report(&directory)?,
        scratch: scratch(&options.scratch)?,
    };
    for name in names {
        say(&format!("{}:", name.as_str()));
        let outcome = session.one(*name).await;
        session.clear(*name).await?;
        let outcome = outcome.with_context(|| format!("benchmark {}", name.as_str()))?;
        report.add(*name, outcome);
        report.write(&directory)?;
    }
    Ok(directory.join("report.md"))
}

/// One line for whoever waits.
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// A directory of our own that every user can enter.
fn scratch(parent: &Path) -> anyhow::Result<TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder
        .prefix("synapse-bench-")
        .permissions(std::fs::Permissions::from_mode(0o755));
    builder
        .tempdir_in(parent)
        .with_context(|| format!("cannot create a directory in {}", parent.display()))
}

impl Session<'_> {
    /// A path for a cluster of this name; nothing is there yet.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    async fn one(&self, name: Name) -> anyhow::Result<Outcome> {
        let mut terminated = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        tokio::select! {
            outcome = name.measure(self) => outcome,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
            _ = terminated.recv() => anyhow::bail!("terminated"),
        }
    }

    /// Keeps the daemons' logs, stops the sandboxes and removes everything in the scratch directory. Native servers have
    /// ended with their values.
    async fn clear(&self, name: Name) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(self.scratch.path()).context("cannot list the scratch directory")? {
            let dir = entry?.path();
            if Record::exists(&dir) {
                ours::down(Sandbox::open(&dir)?, &self.raw, name.as_str()).await?;
            } else {
                std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
            }
        }
        Ok(())
    }
}
