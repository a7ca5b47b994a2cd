//! Questions to a node of the cluster, this one included.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use synapse_engine_identity::NodeId;
use synapse_engine_transport::ResponseStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{PARTS_AHEAD, perform};
use crate::error::Error;
use crate::frames::{self, Answer, Request};
use crate::shared::Shared;

/// Why a node gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// There is no link to it, or it broke.
    #[error("{node} cannot be reached: {why}")]
    Unreachable {
        /// The node.
        node: NodeId,
        /// In words.
        why: String,
    },
    /// It answered that it cannot.
    #[error("{node}: {why}")]
    Failed {
        /// The node.
        node: NodeId,
        /// In its words.
        why: String,
    },
}

impl AskError {
    /// What would help.
    pub(crate) const HINT: &str = "look at `synapsectl status` of that node";

    /// The failure of a node that answers beside the question.
    pub(crate) fn beside(node: NodeId) -> Self {
        AskError::Failed {
            node,
            why: "it answered something else than was asked".to_owned(),
        }
    }
}

/// An answer that is coming.
#[derive(Debug)]
pub(crate) struct Asked {
    node: NodeId,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Local {
        parts: mpsc::Receiver<Answer>,
        work: Option<JoinHandle<Result<(), Error>>>,
    },
    Link(ResponseStream),
}

/// Asks `node`. The future is boxed because who answers may have to ask others.
pub(crate) fn ask(shared: &Arc<Shared>, node: NodeId, request: Request) -> BoxFuture<'_, Result<Asked, AskError>> {
    Box::pin(put(shared, node, request))
}

async fn put(shared: &Arc<Shared>, node: NodeId, request: Request) -> Result<Asked, AskError> {
    if node == shared.me.node {
        let (sender, parts) = mpsc::channel(PARTS_AHEAD);
        let shared = Arc::clone(shared);
        let work = tokio::spawn(async move { perform(&shared, request, &sender).await });
        return Ok(Asked {
            node,
            way: Way::Local {
                parts,
                work: Some(work),
            },
        });
    }
    let link = shared.peers().get(&node).and_then(|peer| peer.link.clone());
    let unreachable = |why: String| AskError::Unreachable { node, why };
    let link = link.ok_or_else(|| unreachable("there is no link to it".to_owned()))?;
    let stream = link
        .request(frames::encode(&request))
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    Ok(Asked {
        node,
        way: Way::Link(stream),
    })
}

/// Asks `node` what is answered in one part.
pub(crate) async fn ask_one(shared: &Arc<Shared>, node: NodeId, request: Request) -> Result<Answer, AskError> {
    let mut asked = ask(shared, node, request).await?;
    match asked.next().await? {
        Some(answer) => Ok(answer),
        None => Err(AskError::Failed {
            node,
            why: "it gave an empty answer".to_owned(),
        }),
    }
}

impl Asked {
    /// The next part, or `None` when the answer is complete.
    pub(crate) async fn next(&mut self) -> Result<Option<Answer>, AskError> {
        let node = self.node;
        match &mut self.way {
            Way::Local { parts, work } => {
                if let Some(part) = parts.recv().await {
                    return Ok(Some(part));
                }
                let Some(work) = work.take() else { return Ok(None) };
                let ended = work.await.expect("answering oneself does not panic and is not aborted");
                ended.map(|()| None).map_err(|error| AskError::Failed {
                    node,
                    why: error.to_string(),
                })
            }
            Way::Link(stream) => match stream.next().await {
                Ok(Some(bytes)) => match frames::decode(&bytes) {
                    Ok(answer) => Ok(Some(answer)),
                    Err(error) => Err(AskError::Failed {
                        node,
                        why: format!("its answer cannot be read: {error}"),
                    }),
                },
                Ok(None) => Ok(None),
                Err(synapse_engine_transport::Error::RequestFailed(why)) => Err(AskError::Failed { node, why }),
                Err(error) => Err(AskError::Unreachable {
                    node,
                    why: error.to_string(),
                }),
            },
        }
    }
}
