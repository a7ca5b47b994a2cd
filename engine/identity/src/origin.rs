use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use synapse_wal_types::Lsn;

use crate::NodeId;

/// Which life of a node: the Unix time, in seconds, at which the node was set up. A re-initialised, restored or
/// promoted server takes a new one, so that its positions never mix with those of its earlier life, also when every
/// trace of that life was lost with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Incarnation(pub u32);

/// One unbroken line of WAL: a node and an incarnation. Text form `n1:1795000000`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The node.
    pub node: NodeId,
    /// Its life.
    pub incarnation: Incarnation,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node, self.incarnation.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One committed transaction: where it was made and the end of its commit record there. Text form
/// `n1:1795000000@0/16B3748`. Ordered within an origin by commit; across origins the order means nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TxnId {
    /// Where it was made.
    pub origin: Origin,
    /// End of its commit record (pgoutput's end LSN).
    pub lsn: Lsn,
}

impl fmt::Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.origin, self.lsn)
    }
}

impl fmt::Debug for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text names no origin or transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {text:?}: expected {expected}")]
pub struct ParseOriginError {
    what: &'static str,
    expected: &'static str,
    text: String,
}

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once(':')
            .and_then(|(node, life)| {
                Some(Origin {
                    node: node.parse().ok()?,
                    incarnation: Incarnation(life.parse().ok()?),
                })
            })
            .ok_or_else(|| ParseOriginError {
                what: "origin",
                expected: "node:incarnation, like n1:1795000000",
                text: text.to_owned(),
            })
    }
}

impl FromStr for TxnId {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('@')
            .and_then(|(origin, lsn)| {
                Some(TxnId {
                    origin: origin.parse().ok()?,
                    lsn: lsn.parse().ok()?,
                })
            })
            .ok_or_else(|| ParseOriginError {
                what: "transaction",
                expected: "origin@position, like n1:1795000000@0/16B3748",
                text: text.to_owned(),
            })
    }
}
