use synapse_engine_identity::{Incarnation, NodeId};
use synapse_wal_types::SlotName;

use crate::Pattern;

/// What a node wants of its database.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The node's name.
    pub node: NodeId,
    /// The cluster's name.
    pub cluster: String,
    /// The node's life.
    pub incarnation: Incarnation,
    /// The node's part of every sequence.
    pub share: Share,
    /// The slot that capture reads from, whether it exists yet or not.
    pub slot: SlotName,
    /// How many replication origins are used at once: one for each peer and lane.
    pub origins: u32,
    /// How many walsenders are used at once: capture, and whatever else the caller opens.
    pub wal_senders: u32,
    /// Tables that stay local.
    pub exclude: Vec<Pattern>,
}

/// One node's part of every sequence: which of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    ordinal: u16,
    nodes: u16,
}

/// The ordinal lies outside the number of nodes, or that number is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid node ordinal {ordinal} of {nodes}: expected 0 to one less than max-nodes")]
pub struct InvalidShare {
    /// What was given as the ordinal.
    pub ordinal: u16,
    /// What was given as the number of nodes.
    pub nodes: u16,
}

impl Share {
    /// Part `ordinal`, counted from 0, of `nodes`.
    ///
    /// # Errors
    /// When `ordinal` is not below `nodes`.
    pub const fn new(ordinal: u16, nodes: u16) -> std::result::Result<Self, InvalidShare> {
        if ordinal < nodes {
            Ok(Share { ordinal, nodes })
        } else {
            Err(InvalidShare { ordinal, nodes })
        }
    }

    /// Which part, from 0.
    #[must_use]
    pub const fn ordinal(self) -> u16 {
        self.ordinal
    }

    /// Of how many; at least 1.
    #[must_use]
    pub const fn nodes(self) -> u16 {
        self.nodes
    }
}
