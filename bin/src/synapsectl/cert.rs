//! `cert`: the cluster's own authority and its nodes' certificates.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use synapse_engine_identity::NodeId;
use synapse_engine_transport::cert::{self, ClusterName};

use crate::exit::{Exit, Failure};
use crate::output::narrate;

/// Make the certificates that links between nodes need
#[derive(Subcommand)]
pub(crate) enum Cert {
    /// Make a cluster's authority: ca.crt, which every node needs, and ca.key, to be kept safe
    Init {
        /// Where; made when it does not exist
        #[arg(long)]
        dir: PathBuf,
        /// The cluster's name
        #[arg(long)]
        cluster: ClusterName,
    },
    /// Issue a node's certificate: node.crt and node.key
    Issue {
        /// The directory of the authority
        #[arg(long)]
        ca_dir: PathBuf,
        /// Where; made when it does not exist
        #[arg(long)]
        out_dir: PathBuf,
        /// The node's name
        #[arg(long)]
        node: NodeId,
        /// A further DNS name or IP address; may be repeated
        #[arg(long)]
        san: Vec<String>,
    },
}

impl Cert {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Cert::Init { dir, cluster } => {
                cert::init_ca(&dir, &cluster).map_err(|error| failed(&error))?;
                narrate(&format!("made the authority of {cluster} in {}", dir.display()));
            }
            Cert::Issue {
                ca_dir,
                out_dir,
                node,
                san,
            } => {
                cert::issue(&ca_dir, &out_dir, node, &san).map_err(|error| failed(&error))?;
                narrate(&format!("issued the certificate of {node} in {}", out_dir.display()));
            }
        }
        Ok(Exit::Done.into())
    }
}

/// Nothing is ever overwritten: that is refused, and all else is a matter of what was given.
fn failed(error: &synapse_engine_transport::Error) -> Failure {
    let exists = matches!(error, synapse_engine_transport::Error::Exists { .. });
    Failure::new(if exists { Exit::Refused } else { Exit::Usage }, error.to_string())
}
