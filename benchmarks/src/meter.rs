//! What a run of two nodes cost: time, and processor time of everyone on the way.

use std::time::{Duration, Instant};

use crate::cluster::Cluster;

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// Of the first node's server.
    pub(crate) publisher: Duration,
    /// Of the second node's server.
    pub(crate) subscriber: Duration,
    /// Of all daemons; of the tools, where rows went through tools.
    pub(crate) daemons: Duration,
}

/// Processor times at the start.
pub(crate) struct Meter {
    started: Instant,
    servers: [Duration; 2],
    daemons: Duration,
}

impl Meter {
    pub(crate) fn start(cluster: &Cluster) -> anyhow::Result<Meter> {
        let servers = [cluster.server_cpu(0)?, cluster.server_cpu(1)?];
        let daemons = cluster.daemons_cpu()?;
        Ok(Meter {
            started: Instant::now(),
            servers,
            daemons,
        })
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn stop(&self, cluster: &Cluster) -> anyhow::Result<Cost> {
        let [publisher, subscriber] = self.servers;
        Ok(Cost {
            wall: self.started.elapsed(),
            publisher: cluster.server_cpu(0)?.saturating_sub(publisher),
            subscriber: cluster.server_cpu(1)?.saturating_sub(subscriber),
            daemons: cluster.daemons_cpu()?.saturating_sub(self.daemons),
        })
    }
}
