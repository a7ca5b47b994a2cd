//! Daemons with other settings than the sandbox gives them.

use crate::cluster::{Cluster, What};

impl Cluster {
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
}
