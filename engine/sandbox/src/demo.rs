//! The guided tour: a fresh cluster, load on every node at once, convergence, proof.
//!
//! All nodes run the same TPC-B-like load on the same few branches and tellers, so that writes of different nodes
//! collide all the time. Afterwards every node must hold the same rows.

mod load;
mod report;
mod status;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Narrator;
use crate::error::{Error, Result};
use crate::owner::Owner;
use crate::ports::first_free_base;
use crate::record::Record;
use crate::sandbox::Sandbox;
use crate::servers::PgBin;
use crate::{files, up};

pub use report::{NodeReport, Report};

/// Where the demo goes when the servers' user cannot enter the current directory.
const ELSEWHERE: &str = "/var/tmp/synapse-demo";

/// What the demo is to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The sandbox's directory.
    pub dir: PathBuf,
    /// How many nodes.
    pub nodes: usize,
    /// How long the load runs; whole seconds, at least one.
    pub duration: Duration,
    /// The first port; `None` for the first range that is free.
    pub base_port: Option<u16>,
    /// Where PostgreSQL is.
    pub pg_bin: PgBin,
    /// The daemon; `None` for `synapsed` beside the running program.
    pub synapsed: Option<PathBuf>,
    /// The `synapsectl` that is asked to wait and to verify.
    pub synapsectl: PathBuf,
}

/// The directory of a demo that was told none: `.demo` here, or, where root's servers cannot get to it, one in
/// `/var/tmp`. `demo-down` finds the same one.
pub fn default_dir() -> Result<PathBuf> {
    let here = files::absolute(Path::new(".demo"))?;
    let barred = Owner::detect()?.barred_from(&here)?.is_some();
    Ok(if barred { PathBuf::from(ELSEWHERE) } else { here })
}

/// Runs the whole demo and leaves the sandbox up. A previous demo's sandbox in the same directory is removed first.
///
/// # Errors
/// [`Error::Refused`] when the directory holds a sandbox that no demo made; whatever keeps a step from being done. That
/// the nodes differ at the end is no error but the report's answer.
pub async fn run(options: &Options, narrate: Narrator<'_>) -> Result<Report> {
    replace_previous(&options.dir, narrate).await?;
    let base_port = match options.base_port {
        Some(port) => port,
        None => first_free_base(options.nodes)?,
    };
    let wanted = up::Options {
        nodes: options.nodes,
        base_port,
        pg_bin: options.pg_bin.clone(),
        synapsed: options.synapsed.clone(),
        demo: true,
        ..up::Options::new(options.dir.clone())
    };
    // The sandbox is unlocked at once: whoever watches may stop and kill nodes while the load runs.
    let record = Sandbox::up(&wanted, narrate).await?.record().clone();
    let pgbench = load::Pgbench::find(&record)?;
    narrate("filling pgbench's tables on every node");
    pgbench.fill(&record).await?;
    verdict::wait(&options.synapsectl, &record, narrate).await?;
    let seconds = options.duration.as_secs().max(1);
    narrate(&format!(
        "running pgbench on all {} nodes at once for {seconds} s",
        record.nodes.len()
    ));
    let loads = pgbench.run(&record, seconds, narrate).await?;
    narrate("waiting for convergence");
    verdict::wait(&options.synapsectl, &record, narrate).await?;
    narrate("comparing the nodes' contents");
    let equal = verdict::verify(&options.synapsectl, &record).await?;
    let statuses = status::of_all(&record).await?;
    Ok(report::make(&record, &options.dir, seconds, &loads, &statuses, equal))
}

/// Stops a demo's sandbox and removes it; that there is none is fine.
pub async fn down(dir: &Path, narrate: Narrator<'_>) -> Result<()> {
    replace_previous(dir, narrate).await
}

async fn replace_previous(dir: &Path, narrate: Narrator<'_>) -> Result<()> {
    let dir = files::absolute(dir)?;
    if !Record::exists(&dir) {
        return Ok(());
    }
    let sandbox = Sandbox::open(&dir)?;
    if !sandbox.record().demo {
        let what = format!(
            "the sandbox in {} was not made by the demo\nhint: name another --dir",
            dir.display()
        );
        return Err(Error::Refused { what });
    }
    narrate("removing the previous demo");
    sandbox.down(false, narrate).await
}

#[cfg(test)]
mod on_postgres;
#[cfg(test)]
mod tests;
