//! What a node begins with, decided from what every member says of itself.

use serde::{Deserialize, Serialize};
use synapse_engine_identity::NodeId;

/// What a node says of itself to one that asks before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// A member. With a number: it began empty among so many members, and its journal still holds all of its stream.
    Joined { whole_for: Option<u32> },
    /// It is being filled from another node.
    Copying,
    /// It has not begun. Its stream has: `empty` says whether it held no row of a replicated table then.
    New { empty: bool },
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It begins with what it has. `whole`: nobody has anything that is not in a journal.
    Begin { whole: bool },
    /// It is filled from this node.
    Copy { from: NodeId },
    /// It is too early to say.
    Wait { why: String },
    /// It holds rows, and so does this node: a person decides which go.
    Refuse { other: NodeId },
}

/// Decides for `me` of `members` members, all of whom have answered. Every node decides by the same answers or later
/// ones, and a node's answer changes in one direction only, so that no two of them can both begin with rows of their own.
pub(crate) fn decide(
    me: NodeId,
    empty: bool,
    members: usize,
    others: &[(NodeId, Standing)],
    wanted: Option<NodeId>,
) -> Decision {
    let mut joined = Vec::new();
    let mut holding = Vec::new();
    let mut whole = true;
    for (node, standing) in others {
        match standing {
            Standing::Joined { whole_for } => {
                joined.push(*node);
                whole &= whole_for.is_some_and(|of| usize::try_from(of) == Ok(members));
            }
            Standing::Copying => whole = false,
            Standing::New { empty: true } => {}
            Standing::New { empty: false } => {
                holding.push(*node);
                whole = false;
            }
        }
    }
    joined.sort_unstable();
    holding.sort_unstable();
    if !empty {
        return match joined.first().or(holding.first()) {
            Some(other) => Decision::Refuse { other: *other },
            None => Decision::Begin { whole: false },
        };
    }
    match wanted {
        Some(from) if joined.contains(&from) => Decision::Copy { from },
        Some(from) => Decision::Wait {
            why: format!("{from} is no member yet, and {me} is to be copied from it"),
        },
        None if whole => Decision::Begin { whole: true },
        None => match (joined.first(), holding.first()) {
            (Some(from), _) => Decision::Copy { from: *from },
            (None, Some(holder)) => Decision::Wait {
                why: format!("{holder} holds rows, and is no member yet"),
            },
            (None, None) => Decision::Wait {
                why: "another node is being filled, and no member is linked".to_owned(),
            },
        },
    }
}

#[cfg(test)]
mod tests;
