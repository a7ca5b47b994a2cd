//! Questions and orders to a daemon's HTTP API.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use synapse_engine_sandbox::NodeRecord;
use synapse_wal_types::Lsn;

/// The longest that one answer may take: the daemon is on the same machine.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Where a daemon answers.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    node: String,
    api: String,
    token_file: PathBuf,
}

/// The part of `GET /v1/status` that is used here.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(crate) struct Status {
    pub(crate) state: State,
    /// How far the node has come in joining; nothing once it is a member.
    pub(crate) join: Option<IgnoredAny>,
    pub(crate) slot: Slot,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Starting,
    Copying,
    Streaming,
    Degraded,
    Stopped,
}

/// The slot on the daemon's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Slot {
    /// Up to here the journal holds everything durably.
    #[serde(deserialize_with = "lsn")]
    pub(crate) confirmed_lsn: Lsn,
}

fn lsn<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lsn, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| serde::de::Error::custom(format!("{text} is no log position")))
}

impl Status {
    /// Whether the node is a member of its cluster, with all rows that it joined for.
    pub(crate) fn joined(&self) -> bool {
        self.state == State::Streaming && self.join.is_none()
    }
}

impl Daemon {
    pub(crate) fn of(node: &NodeRecord) -> Daemon {
        Daemon {
            node: node.name.clone(),
            api: node.api.clone(),
            token_file: node.token_file.clone(),
        }
    }

    pub(crate) async fn status(&self) -> anyhow::Result<Status> {
        let url = format!("{}/v1/status", self.api);
        let body = self
            .ask(move |agent| agent.get(url).call()?.body_mut().read_to_string())
            .await?;
        serde_json::from_str(&body).with_context(|| format!("cannot read the status of {}: {body}", self.node))
    }

    /// `hold` or `resume` what this node sends to `to`.
    pub(crate) async fn link(&self, change: &str, to: &str) -> anyhow::Result<()> {
        let token = std::fs::read_to_string(&self.token_file).context("cannot read the API's token")?;
        let bearer = format!("Bearer {}", token.trim());
        let url = format!("{}/v1/link/{change}", self.api);
        let body = serde_json::json!({ "from": self.node, "to": to }).to_string();
        let post = move |agent: ureq::Agent| {
            let request = agent
                .post(url)
                .header("authorization", bearer)
                .header("content-type", "application/json");
            request.send(body)?.body_mut().read_to_string()
        };
        self.ask(post).await.map(|_| ())
    }

    async fn ask(
        &self,
        ask: impl FnOnce(ureq::Agent) -> Result<String, ureq::Error> + Send + 'static,
    ) -> anyhow::Result<String> {
        let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_MAX)).build();
        let answer = tokio::task::spawn_blocking(move || ask(ureq::Agent::from(config)));
        answer
            .await?
            .with_context(|| format!("the daemon of {} on {} did not do it", self.node, self.api))
    }
}

#[cfg(test)]
mod tests;
