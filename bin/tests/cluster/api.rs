//! The daemons' HTTP API.

use std::time::Duration;

use serde_json::{Value, json};

use super::Cluster;

/// Longer than any answer takes that a test asks for.
const ANSWER_MAX: Duration = Duration::from_secs(150);

/// An answer of any HTTP status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Cluster {
    /// GETs a path of a node's API; `Err` when nobody answers.
    pub(crate) async fn get(&self, node: &str, path: &str) -> Result<Answer, String> {
        let url = format!("{}{path}", self.node(node).api);
        ask(move |agent| agent.get(&url).call()).await
    }

    /// POSTs JSON, with the token.
    pub(crate) async fn post(&self, node: &str, path: &str, body: Value) -> Answer {
        let record = self.node(node);
        let url = format!("{}{path}", record.api);
        let token = std::fs::read_to_string(&record.token_file).unwrap();
        let asked = ask(move |agent| {
            agent
                .post(&url)
                .header("authorization", format!("Bearer {}", token.trim()))
                .header("content-type", "application/json")
                .send(body.to_string())
        });
        asked
            .await
            .unwrap_or_else(|error| panic!("{node} does not answer: {error}"))
    }

    /// What a node says of itself.
    pub(crate) async fn status(&self, node: &str) -> Value {
        let answer = self.get(node, "/v1/status").await;
        answer
            .unwrap_or_else(|error| panic!("{node} does not answer: {error}"))
            .json()
    }

    /// What a node says of one of its peers; `Null` when it knows none of that name.
    pub(crate) async fn peer(&self, node: &str, peer: &str) -> Value {
        let status = self.status(node).await;
        let peers = status["peers"].as_array().expect("a status has peers");
        peers
            .iter()
            .find(|entry| entry["node"] == peer)
            .cloned()
            .unwrap_or_default()
    }

    /// The sum of a metric's samples.
    pub(crate) async fn metric(&self, node: &str, name: &str, label: &str) -> f64 {
        let answer = self.get(node, "/metrics").await.unwrap();
        let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name) && line.contains(label);
        let samples = answer.text.lines().filter(of_name);
        samples
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Holds what `from` sends to `to`; returns when `to` has heard of it.
    pub(crate) async fn hold(&self, from: &str, to: &str) {
        self.steer("hold", from, to).await;
        self.until_peer(to, from, "held", |peer| peer["state"] == "held").await;
    }

    /// Sends it again; returns when `to` has heard of it.
    pub(crate) async fn resume(&self, from: &str, to: &str) {
        self.steer("resume", from, to).await;
        self.until_peer(to, from, "no longer held", |peer| peer["state"] != "held")
            .await;
    }

    /// Holds every link: what nodes write from here on is concurrent.
    pub(crate) async fn hold_all(&self) {
        for (from, to) in self.links() {
            self.hold(&from, &to).await;
        }
    }

    /// Resumes every link.
    pub(crate) async fn resume_all(&self) {
        for (from, to) in self.links() {
            self.resume(&from, &to).await;
        }
    }

    async fn steer(&self, what: &str, from: &str, to: &str) {
        let answer = self.post(from, &format!("/v1/link/{what}"), json!({ "to": to })).await;
        assert_eq!(answer.status, 200, "{what} {from} -> {to}: {}", answer.text);
    }

    fn links(&self) -> Vec<(String, String)> {
        let names = self.names();
        let all = names
            .iter()
            .flat_map(|from| names.iter().map(move |to| (from.clone(), to.clone())));
        all.filter(|(from, to)| from != to).collect()
    }
}

async fn ask<F>(call: F) -> Result<Answer, String>
where
    F: FnOnce(ureq::Agent) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> + Send + 'static,
{
    let asked = tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_MAX))
            .http_status_as_error(false)
            .build();
        let mut response = call(ureq::Agent::from(config))?;
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
        Ok::<_, ureq::Error>(Answer {
            status: response.status().as_u16(),
            text,
        })
    });
    asked
        .await
        .expect("asking does not panic")
        .map_err(|error| error.to_string())
}
