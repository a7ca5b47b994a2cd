//! Servers and daemons, killed, stopped and started.

use std::process::{Command, Output};

use synapse_engine_sandbox::Error;

use super::{Cluster, What, silent};

impl Cluster {
    /// SIGKILL.
    pub(crate) async fn kill(&mut self, node: &str, what: What) {
        self.sandbox_mut().kill(node, what, &silent).await.unwrap();
    }

    /// SIGTERM to the daemon, fast shutdown of the server.
    pub(crate) async fn stop(&mut self, node: &str, what: What) {
        self.sandbox_mut().stop(node, what, &silent).await.unwrap();
    }

    /// Starts what is down; returns when it answers, not when it has caught up.
    pub(crate) async fn start_again(&mut self, node: &str, what: What) {
        if let Err(error) = self.try_start(node, what).await {
            panic!("{node} does not start: {error}");
        }
    }

    /// Starts what is down, which may fail.
    pub(crate) async fn try_start(&mut self, node: &str, what: What) -> Result<(), Error> {
        self.sandbox_mut().start(node, what, &silent).await
    }

    /// Changes a node's configuration file and starts its daemon anew. Fails when that changes nothing.
    pub(crate) async fn reconfigure(&mut self, node: &str, change: impl FnOnce(&str) -> String) {
        let path = self.node(node).config.clone();
        let before = std::fs::read_to_string(&path).unwrap();
        let after = change(&before);
        assert_ne!(before, after, "{} is as it was", path.display());
        std::fs::write(&path, after).unwrap();
        self.stop(node, What::Engine).await;
        self.start_again(node, What::Engine).await;
    }

    /// Runs `synapsectl` with a node's configuration.
    pub(crate) fn synapsectl(&self, node: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapsectl"));
        command.args(arguments).arg("--config").arg(&self.node(node).config);
        command.output().unwrap()
    }
}
