//! Which port is whose: node `i` has PostgreSQL at base + 10 i, its link one above, its API two above.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::{Error, Result};

/// The first port of a sandbox unless told otherwise.
pub const BASE_PORT_DEFAULT: u16 = 7400;
/// The most nodes of one sandbox: they share one machine, and each is two servers.
pub const NODES_MAX: usize = 15;
/// Distance between the ports of two nodes.
const STRIDE: u16 = 10;
/// From a node's first port to its last.
const API_OFFSET: u16 = 2;
/// Distance between base ports that [`first_free_base`] looks at: room for [`NODES_MAX`] nodes.
const BASE_STRIDE: usize = 200;

/// The ports of one node, all on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePorts {
    /// PostgreSQL.
    pub postgres: u16,
    /// The daemon's link to its peers.
    pub link: u16,
    /// The daemon's HTTP API.
    pub api: u16,
}

/// The ports of a whole sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortPlan {
    base: u16,
}

impl PortPlan {
    /// A plan for `nodes` nodes from `base` up. Fails when it has no room below 65536, or for 0 or more than
    /// [`NODES_MAX`] nodes.
    pub fn new(base: u16, nodes: usize) -> Result<PortPlan> {
        if nodes == 0 || nodes > NODES_MAX {
            return Err(Error::Usage {
                what: format!("--nodes {nodes}: expected 1 to {NODES_MAX}"),
            });
        }
        let plan = PortPlan { base };
        if base == 0 || plan.checked(nodes - 1).is_none() {
            return Err(Error::Usage {
                what: format!("--base-port {base}: no room for the ports of {nodes} nodes"),
            });
        }
        Ok(plan)
    }

    /// The ports of node `index`, counted from 0. Fails beyond port 65535.
    pub fn of(&self, index: usize) -> Result<NodePorts> {
        self.checked(index).ok_or_else(|| Error::Usage {
            what: format!("no ports left for node {index} above base port {}", self.base),
        })
    }

    fn checked(&self, index: usize) -> Option<NodePorts> {
        let postgres = u16::try_from(index).ok()?.checked_mul(STRIDE)?.checked_add(self.base)?;
        postgres.checked_add(API_OFFSET).map(|_| NodePorts::above(postgres))
    }
}

impl NodePorts {
    /// The ports of a node whose PostgreSQL listens on `postgres`, which the plan keeps at most 65533.
    pub(crate) fn above(postgres: u16) -> NodePorts {
        NodePorts {
            postgres,
            link: postgres.saturating_add(1),
            api: postgres.saturating_add(API_OFFSET),
        }
    }

    /// Fails with the first of the three ports that something listens on.
    pub(crate) fn check_free(&self, node: &str) -> Result<()> {
        for (port, role) in [(self.postgres, "PostgreSQL"), (self.link, "link"), (self.api, "API")] {
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                return Err(Error::PortBusy {
                    port,
                    node: node.to_owned(),
                    role,
                });
            }
        }
        Ok(())
    }
}

/// The first base port from [`BASE_PORT_DEFAULT`] in steps of 200 at which `nodes` nodes find all their ports free.
pub fn first_free_base(nodes: usize) -> Result<u16> {
    let plan_is_free = |base: u16| {
        let plan = PortPlan::new(base, nodes)?;
        (0..nodes).try_for_each(|index| plan.of(index)?.check_free("a node"))
    };
    let mut first_error = None;
    for base in (BASE_PORT_DEFAULT..30_000).step_by(BASE_STRIDE) {
        match plan_is_free(base) {
            Ok(()) => return Ok(base),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.expect("the range of base ports is not empty"))
}

#[cfg(test)]
mod tests;
