//! The benchmarks, one file each.

pub(crate) mod capture;
mod catchup;
mod copy;
mod latency;
mod overhead;
mod steady;

use serde::Serialize;

use crate::measure::Outcome;
use crate::run::Session;

/// Which benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// Reading and decoding a backlog.
    Capture,
    /// Applying a backlog.
    Catchup,
    /// The highest rate with bounded lag.
    Steady,
    /// Commit here to visible there.
    Latency,
    /// What the source loses.
    Overhead,
    /// Filling an empty node.
    Copy,
}

impl Name {
    /// All, in the order in which `all` runs them.
    pub const ALL: [Name; 6] = [
        Name::Capture,
        Name::Catchup,
        Name::Steady,
        Name::Latency,
        Name::Overhead,
        Name::Copy,
    ];

    /// As it stands on the command line, in headings and in names of files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Name::Capture => "capture",
            Name::Catchup => "catchup",
            Name::Steady => "steady",
            Name::Latency => "latency",
            Name::Overhead => "overhead",
            Name::Copy => "copy",
        }
    }

    pub(crate) async fn measure(self, session: &Session<'_>) -> anyhow::Result<Outcome> {
        match self {
            Name::Capture => capture::measure(session).await,
            Name::Catchup => catchup::measure(session).await,
            Name::Steady => steady::measure(session).await,
            Name::Latency => latency::measure(session).await,
            Name::Overhead => overhead::measure(session).await,
            Name::Copy => copy::measure(session).await,
        }
    }
}
