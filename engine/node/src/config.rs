//! The configuration file.

mod conflicts;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use synapse_engine_identity::NodeId;
use synapse_engine_transport::ClusterName;
use synapse_wal_client::Dsn;

pub use conflicts::ConflictsSection;

/// `synapse.toml`: everything a daemon is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `[node]`
    pub node: NodeSection,
    /// `[postgres]`
    pub postgres: PostgresSection,
    /// `[cluster]`
    pub cluster: ClusterSection,
    /// `[api]`
    pub api: ApiSection,
    /// `[replication]`
    #[serde(default)]
    pub replication: ReplicationSection,
    /// `[conflicts]`
    #[serde(default)]
    pub conflicts: ConflictsSection,
    /// `[tls]`
    pub tls: TlsSection,
}

/// `[node]`: this node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeSection {
    /// Its name: unique in the cluster, the same as in its certificate.
    pub name: NodeId,
    /// Where it keeps journals and state; made when it does not exist.
    pub data_dir: PathBuf,
}

/// `[postgres]`: its server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PostgresSection {
    /// How to connect; never shown with its password.
    #[serde(deserialize_with = "parsed")]
    pub dsn: Dsn,
}

/// `[cluster]`: who it talks to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClusterSection {
    /// The cluster's name, the same on every node.
    #[serde(deserialize_with = "parsed")]
    pub name: ClusterName,
    /// Where peers reach it.
    pub listen: SocketAddr,
    /// What peers are told to dial, where that differs from `listen`.
    #[serde(default)]
    pub advertise: Option<String>,
    /// The link addresses of all peers, `host:port`.
    #[serde(default)]
    pub join: Vec<String>,
}

/// `[api]`: where people and monitoring reach it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApiSection {
    /// A loopback address.
    pub listen: SocketAddr,
    /// The file with the bearer token that changes ask for.
    pub token_file: PathBuf,
}

/// `[replication]`: limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ReplicationSection {
    /// Tables that take no part: `schema.table`, with `*` for any run of characters.
    pub exclude: Vec<String>,
    /// How far a commit's time may lie ahead of the majority's clock and still be believed.
    #[serde(deserialize_with = "duration")]
    pub max_clock_skew: Duration,
    /// Journals on disk, all origins together; beyond it the slot waits.
    pub journal_limit: Bytes,
    /// What the daemon may use of memory, about.
    pub memory_limit: Bytes,
    /// How many nodes the cluster can ever have: sequences are strided by it.
    pub max_nodes: u16,
}

/// `[tls]`: files of the links between nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsSection {
    /// The cluster's authority.
    pub ca: PathBuf,
    /// This node's certificate.
    pub certificate: PathBuf,
    /// Its key; readable by the daemon's user only.
    pub key: PathBuf,
}

impl Default for ReplicationSection {
    fn default() -> Self {
        ReplicationSection {
            exclude: Vec::new(),
            max_clock_skew: Duration::from_secs(5),
            journal_limit: Bytes(50 << 30),
            memory_limit: Bytes(256 << 20),
            max_nodes: 16,
        }
    }
}

/// A number of bytes: in the file a number, or text like `"256MB"`, `"50GB"` (powers of 1024, as PostgreSQL counts).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match text[digits..].trim() {
            "" | "B" => 0,
            "kB" | "KB" => 10,
            "MB" => 20,
            "GB" => 30,
            "TB" => 40,
            _ => {
                return Err(format!(
                    "invalid size {text:?}: expected a number and B, kB, MB, GB or TB"
                ));
            }
        };
        let number: u64 = text[..digits]
            .parse()
            .map_err(|_| format!("invalid size {text:?}: expected a number first"))?;
        number
            .checked_mul(1 << unit)
            .map(Bytes)
            .ok_or_else(|| format!("invalid size {text:?}: too large"))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a number of bytes or text like \"256MB\"")]
        enum Form {
            Number(u64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(bytes) => Ok(Bytes(bytes)),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    humantime::parse_duration(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key, a type or a value is wrong; the text names line and column.
    #[error("{}: {what}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and what was expected.
        what: String,
    },
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`ConfigError`], with the place in the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|what| ConfigError::Invalid {
            path: path.to_owned(),
            what,
        })
    }

    /// Checks a configuration's text.
    ///
    /// # Errors
    /// What is wrong, with line and column where it is a matter of one place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if !config.api.listen.ip().is_loopback() {
            return Err(format!(
                "[api] listen = \"{}\": expected a loopback address",
                config.api.listen
            ));
        }
        if config.replication.memory_limit < Bytes(64 << 20) {
            return Err("[replication] memory-limit: expected at least \"64MB\"".to_owned());
        }
        if config.replication.journal_limit < Bytes(64 << 20) {
            return Err("[replication] journal-limit: expected at least \"64MB\"".to_owned());
        }
        if usize::from(config.replication.max_nodes) < config.cluster.join.len() + 1 {
            return Err(format!(
                "[replication] max-nodes = {}: the cluster has {} nodes already",
                config.replication.max_nodes,
                config.cluster.join.len() + 1
            ));
        }
        config.conflicts.check()?;
        for pattern in &config.replication.exclude {
            pattern
                .parse::<synapse_engine_setup::Pattern>()
                .map_err(|error| format!("[replication] exclude: {error}"))?;
        }
        if config.cluster.join.iter().any(|peer| !peer.contains(':')) {
            return Err("[cluster] join: expected addresses as \"host:port\"".to_owned());
        }
        Ok(config)
    }

    /// How many nodes the cluster has, this one included.
    #[must_use]
    pub fn members(&self) -> usize {
        self.cluster.join.len() + 1
    }
}

#[cfg(test)]
mod tests;
