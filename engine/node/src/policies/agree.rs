//! What is set of a table is set by one node, once every node has said that it can be in force there.

use std::fmt;
use std::sync::Arc;

use futures_util::future::try_join_all;
use synapse_engine_identity::{Epoch, NodeId};

use super::set::SetError;
use crate::answer::{AskError, ask_one};
use crate::frames::{Answer, Request};
use crate::shared::Shared;
use crate::wait::nodes;

/// What of a table is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Its conflict policy.
    Policy,
    /// The rule for its foreign keys.
    ForeignKeys,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Setting::Policy => "policy",
            Setting::ForeignKeys => "rule for foreign keys",
        })
    }
}

/// Has the node whose name is first set something: by `request`, or where that is this node, as `give` does.
pub(super) async fn by_the_first(
    shared: &Arc<Shared>,
    setting: Setting,
    request: Request,
    give: impl Future<Output = Result<Epoch, SetError>>,
) -> Result<Epoch, SetError> {
    all_linked(shared, setting)?;
    let first = nodes(shared).into_iter().next().unwrap_or(shared.me.node);
    if first == shared.me.node {
        return give.await;
    }
    match ask_one(shared, first, request).await {
        Ok(Answer::PolicySet { epoch }) => Ok(Epoch(epoch)),
        Ok(Answer::PolicyRefused { why, hint }) => Err(SetError::Refused { node: first, why, hint }),
        Ok(_) => Err(AskError::beside(first).into()),
        Err(error) => Err(error.into()),
    }
}

/// As the node whose name is first answers who asked it.
pub(crate) fn given(given: Result<Epoch, SetError>) -> Answer {
    match given {
        Ok(Epoch(epoch)) => Answer::PolicySet { epoch },
        Err(error) => Answer::PolicyRefused {
            why: error.to_string(),
            hint: error.hint().map(str::to_owned),
        },
    }
}

/// Asks every node what stands in the way.
///
/// # Errors
/// [`SetError::Problems`] when anything does, or that not all nodes could be asked.
pub(super) async fn nothing_in_the_way(
    shared: &Arc<Shared>,
    setting: Setting,
    request: &Request,
) -> Result<(), SetError> {
    all_linked(shared, setting)?;
    let check = |node: NodeId| async move {
        let Answer::Problems(problems) = ask_one(shared, node, request.clone()).await? else {
            return Err(AskError::beside(node));
        };
        Ok((node, problems))
    };
    let answers = try_join_all(nodes(shared).into_iter().map(check)).await?;
    match told_once(answers) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(SetError::Problems { setting, problems }),
    }
}

/// What several nodes say alike, once, after their names.
fn told_once(answers: Vec<(NodeId, Vec<String>)>) -> Vec<String> {
    let mut told: Vec<(String, Vec<NodeId>)> = Vec::new();
    for (node, problems) in answers {
        for why in problems {
            match told.iter_mut().find(|(known, _)| *known == why) {
                Some((_, nodes)) => nodes.push(node),
                None => told.push((why, vec![node])),
            }
        }
    }
    let line = |(why, nodes): (String, Vec<NodeId>)| {
        let nodes: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
        format!("{}: {why}", nodes.join(", "))
    };
    told.into_iter().map(line).collect()
}

fn all_linked(shared: &Shared, setting: Setting) -> Result<(), SetError> {
    let linked = shared.peers().values().filter(|peer| peer.link.is_some()).count();
    let configured = shared.config.cluster.join.len();
    match linked < configured {
        true => Err(SetError::Missing {
            setting,
            linked,
            configured,
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
