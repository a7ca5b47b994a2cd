//! The sandbox's own certificate authority and its nodes' certificates.

use std::path::{Path, PathBuf};

use synapse_engine_identity::NodeId;
use synapse_engine_transport::cert::{self, ClusterName};

use crate::error::{Error, Result};
use crate::owner::Owner;

/// The three files that a daemon's `[tls]` section names.
pub(crate) struct TlsFiles {
    /// The authority's certificate.
    pub(crate) ca: PathBuf,
    /// The node's certificate.
    pub(crate) certificate: PathBuf,
    /// The node's key.
    pub(crate) key: PathBuf,
}

/// Where the certificates of a node are; `ca_dir` is the cluster's, `node_dir` the node's own.
pub(crate) fn files(ca_dir: &Path, node_dir: &Path) -> TlsFiles {
    TlsFiles {
        ca: ca_dir.join(cert::CA_CERTIFICATE),
        certificate: node_dir.join(cert::NODE_CERTIFICATE),
        key: node_dir.join(cert::NODE_KEY),
    }
}

/// Makes the authority unless it is there.
pub(crate) fn make_authority(ca_dir: &Path, cluster: &str, owner: &Owner) -> Result<()> {
    if ca_dir.join(cert::CA_CERTIFICATE).is_file() {
        return Ok(());
    }
    let cluster: ClusterName = cluster.parse().map_err(boxed)?;
    cert::init_ca(ca_dir, &cluster).map_err(boxed)?;
    owner.give_all(ca_dir)
}

/// Issues a node's certificate unless it is there.
pub(crate) fn make_certificate(ca_dir: &Path, node_dir: &Path, node: &str, owner: &Owner) -> Result<()> {
    if node_dir.join(cert::NODE_CERTIFICATE).is_file() {
        return Ok(());
    }
    let node: NodeId = node.parse().map_err(boxed)?;
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    cert::issue(ca_dir, node_dir, node, &names).map_err(boxed)?;
    owner.give_all(node_dir)
}

fn boxed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Certificates(Box::new(error))
}

#[cfg(test)]
mod tests;
