//! What setting a policy came to, in the words that people are told whichever way they asked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A policy that was set: the answer to `POST /v1/tables/policy`, and the text of `synapse.set_conflict_policy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// `schema.table`.
    pub table: String,
    /// As it was asked for.
    pub policy: String,
    /// From which epoch on it is in force.
    pub epoch: u32,
    /// Whether every node has applied it.
    pub everywhere: bool,
}

impl fmt::Display for PolicyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyChange { table, policy, .. } = self;
        match self.everywhere {
            true => write!(f, "{table}: {policy}, on every node"),
            false => write!(f, "{table}: {policy}; it is on its way, and not on every node yet"),
        }
    }
}
