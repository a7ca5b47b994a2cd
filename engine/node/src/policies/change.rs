//! What setting a policy came to, in the words that people are told whichever way they asked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A policy that was set: the answer to `POST /v1/tables/policy`, and the text of `synapse.set_conflict_policy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// `schema.table`.
    pub table: String,
    /// As it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The rule for its foreign keys, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_keys: Option<String>,
    /// From which epoch on it is in force.
    pub epoch: u32,
    /// Whether every node has applied it.
    pub everywhere: bool,
}

impl fmt::Display for PolicyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyChange {
            table,
            policy,
            foreign_keys,
            ..
        } = self;
        match (policy, foreign_keys) {
            (Some(policy), _) => write!(f, "{table}: {policy}")?,
            (None, rule) => write!(f, "{table}: foreign keys {}", rule.as_deref().unwrap_or_default())?,
        }
        f.write_str(match self.everywhere {
            true => ", on every node",
            false => "; it is on its way, and not on every node yet",
        })
    }
}
