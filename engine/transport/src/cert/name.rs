use std::fmt;
use std::str::FromStr;

use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use synapse_engine_identity::NodeId;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

const SCHEME: &str = "synapse://";

/// The name of a cluster: 1 to 63 of `a-z`, `0-9`, `_` and `-`, so that it can stand in a URI unescaped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

impl ClusterName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The text is no cluster name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid cluster name {0:?}: expected 1 to 63 of a-z, 0-9, _ and -")]
pub struct InvalidClusterName(pub String);

impl FromStr for ClusterName {
    type Err = InvalidClusterName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if (1..=63).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(ClusterName(text.to_owned()))
        } else {
            Err(InvalidClusterName(text.to_owned()))
        }
    }
}

impl TryFrom<String> for ClusterName {
    type Error = InvalidClusterName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> Self {
        name.0
    }
}

/// Whom a node certificate speaks for: the URI `synapse://cluster/node` among its subject alternative names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerName {
    /// The cluster.
    pub cluster: ClusterName,
    /// The node.
    pub node: NodeId,
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.cluster, self.node)
    }
}

impl PeerName {
    /// Reads the name out of a certificate. It says nothing of whether the certificate is to be trusted.
    ///
    /// # Errors
    /// A text of what is wrong: no X.509, no such URI, more than one, or invalid names in it.
    pub fn from_certificate(der: &CertificateDer<'_>) -> Result<Self, String> {
        let path = synapse_uri(der)?;
        let (cluster, node) = path
            .split_once('/')
            .ok_or_else(|| format!("{SCHEME}{path} names no node"))?;
        Ok(PeerName {
            cluster: cluster.parse().map_err(|e: InvalidClusterName| e.to_string())?,
            node: node
                .parse()
                .map_err(|e: synapse_engine_identity::InvalidNodeId| e.to_string())?,
        })
    }
}

/// The URI that a cluster's CA carries, and [`cluster_of_ca`] reads.
pub(super) fn ca_uri(cluster: &ClusterName) -> String {
    format!("{SCHEME}{cluster}")
}

/// Which cluster a CA certificate was made for.
pub(super) fn cluster_of_ca(der: &CertificateDer<'_>) -> Result<ClusterName, String> {
    synapse_uri(der)?.parse().map_err(|e: InvalidClusterName| e.to_string())
}

/// What follows `synapse://` in the one URI of ours that the certificate carries.
fn synapse_uri(der: &CertificateDer<'_>) -> Result<String, String> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|e| format!("no X.509 certificate: {e}"))?;
    if !rest.is_empty() {
        return Err("bytes follow the certificate".to_owned());
    }
    let names = certificate
        .subject_alternative_name()
        .map_err(|e| format!("unreadable alternative names: {e}"))?;
    let mut found = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| {
            if let GeneralName::URI(uri) = name {
                uri.strip_prefix(SCHEME)
            } else {
                None
            }
        });
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.to_owned()),
        (None, _) => Err(format!("no alternative name {SCHEME}…")),
        (Some(_), Some(_)) => Err(format!("more than one alternative name {SCHEME}…")),
    }
}
