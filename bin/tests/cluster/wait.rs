//! Waiting for what must come.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use super::Cluster;

/// The longest that anything may take here; machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Log lines shown of each server when a test fails.
const LOG_LINES: usize = 15;

impl Cluster {
    /// Waits until every node has applied what every node had committed at the call.
    #[track_caller]
    pub(crate) fn settle(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let path = format!("/v1/wait?timeout_ms={}", PATIENCE.as_millis());
            let first = self.names().remove(0);
            let answer = self.get(&first, &path).await;
            let settled = answer
                .as_ref()
                .is_ok_and(|answer| answer.status == 200 && answer.json()["done"] == true);
            if !settled {
                panic!(
                    "{caller}: the cluster does not settle: {answer:?}\n{}",
                    self.report().await
                );
            }
        }
    }

    /// Waits until `look` finds something.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if Instant::now() >= deadline {
                panic!("not within {} s: {what}\n{}", PATIENCE.as_secs(), self.report().await);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a query's one value is this.
    pub(crate) async fn until_value(&self, node: &str, sql: &str, wanted: &str) {
        let look = async || (self.value(node, sql).await.as_deref() == Some(wanted)).then_some(());
        self.until(&format!("{node}: {sql} is {wanted}"), look).await;
    }

    /// Waits until what a node says of a peer satisfies the condition, and answers with it.
    pub(crate) async fn until_peer(
        &self,
        node: &str,
        peer: &str,
        what: &str,
        holds: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let look = async || Some(self.peer(node, peer).await).filter(&holds);
        self.until(&format!("{node} says of {peer}: {what}"), look).await
    }

    /// Waits until every daemon is ready.
    pub(crate) async fn until_ready(&self) {
        for name in self.names() {
            let look = async || {
                self.get(&name, "/readyz")
                    .await
                    .ok()
                    .filter(|answer| answer.status == 200)
            };
            self.until(&format!("{name} is ready"), look).await;
        }
    }

    /// Every node's status and the ends of its logs.
    pub(crate) async fn report(&self) -> String {
        let mut report = String::new();
        for name in self.names() {
            let status = match self.get(&name, "/v1/status").await {
                Ok(answer) => answer.text,
                Err(error) => error,
            };
            writeln!(report, "--- {name}: {status}").unwrap();
            let node = self.node(&name);
            for log in [&node.log, &node.postgres_log] {
                let text = std::fs::read_to_string(log).unwrap_or_else(|error| error.to_string());
                let lines: Vec<&str> = text.lines().collect();
                let from = lines.len().saturating_sub(LOG_LINES);
                writeln!(report, "... {}\n{}", log.display(), lines[from..].join("\n")).unwrap();
            }
        }
        report
    }
}
