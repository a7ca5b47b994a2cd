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

    /// Runs `synapsectl` with a node's configuration.
    pub(crate) fn synapsectl(&self, node: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapsectl"));
        command.args(arguments).arg("--config").arg(&self.node(node).config);
        command.output().unwrap()
    }
}
