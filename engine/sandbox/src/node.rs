//! One node of a sandbox: its files, its server, its daemon.

use std::path::PathBuf;

use crate::certificates;
use crate::engine::{
    ApiSection, ClusterSection, Configuration, Engine, NodeSection, PostgresSection, TlsSection, socket_dsn,
};
use crate::error::{Error, Result};
use crate::postgres::Postgres;
use crate::record::NodeRecord;
use crate::sandbox::Sandbox;
use crate::servers::Server;

/// A node as the record has it, with what is needed to act on it.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) record: &'a NodeRecord,
}

impl Node<'_> {
    /// Makes what the node needs and does not have: directories, certificate, PostgreSQL's data, configuration.
    pub(crate) async fn prepare(&self) -> Result<()> {
        let owner = &self.sandbox.owner;
        owner.make_dir(&self.dir(), 0o755)?;
        owner.make_dir(&self.dir().join("data"), 0o700)?;
        certificates::make_certificate(&self.sandbox.ca_dir(), &self.tls_dir(), &self.record.name, owner)?;
        self.configure()?;
        self.with_postgres(async |postgres| postgres.prepare().await).await
    }

    /// Writes `synapse.toml` from the record: all nodes that the sandbox has now are peers.
    pub(crate) fn configure(&self) -> Result<()> {
        let tls = certificates::files(&self.sandbox.ca_dir(), &self.tls_dir());
        let peers = self
            .sandbox
            .record
            .nodes
            .iter()
            .filter(|peer| peer.name != self.record.name);
        let database = &self.sandbox.record.database;
        let configuration = Configuration {
            node: NodeSection {
                name: &self.record.name,
                data_dir: &self.dir().join("data"),
            },
            postgres: PostgresSection {
                dsn: socket_dsn(&self.sandbox.socket_dir(), self.record.postgres_port, database),
            },
            cluster: ClusterSection {
                name: &self.sandbox.record.cluster,
                listen: &self.record.link,
                join: peers.map(|peer| peer.link.as_str()).collect(),
            },
            api: ApiSection {
                listen: self.record.api.trim_start_matches("http://"),
                token_file: &self.record.token_file,
            },
            tls: TlsSection {
                ca: &tls.ca,
                certificate: &tls.certificate,
                key: &tls.key,
            },
        };
        configuration.save(&self.record.config, &self.sandbox.owner)
    }

    /// Stops both processes; what does not stop in time, and what the record does not know of, is killed.
    pub(crate) async fn stop_or_kill(&self) -> Result<()> {
        if let Some(process) = self.record.engine() {
            let engine = self.engine();
            if let Err(Error::TimedOut { .. }) = engine.stop(process).await {
                engine.kill(process).await?;
            }
        }
        let recorded = self.record.postgres();
        self.with_postgres(async |postgres| {
            if let Some(process) = recorded
                && let Err(error) = postgres.stop(process).await
                && !matches!(error, Error::TimedOut { .. })
            {
                return Err(error);
            }
            postgres.kill_what_is_left().await
        })
        .await
    }

    /// Acts on the node's PostgreSQL server.
    pub(crate) async fn with_postgres<T>(&self, act: impl AsyncFnOnce(&Postgres<'_>) -> T) -> T {
        let server = Server {
            bin: self.record.pg_bin.clone(),
            version: self.record.pg_version.clone(),
        };
        let postgres = Postgres {
            node: &self.record.name,
            server: &server,
            data_dir: &self.record.data_dir,
            socket_dir: &self.sandbox.socket_dir(),
            port: self.record.postgres_port,
            log: &self.record.postgres_log,
            owner: &self.sandbox.owner,
        };
        act(&postgres).await
    }

    /// The node's daemon.
    pub(crate) fn engine(&self) -> Engine<'_> {
        Engine {
            node: &self.record.name,
            program: &self.sandbox.record.synapsed,
            config: &self.record.config,
            log: &self.record.log,
            api: &self.record.api,
            owner: &self.sandbox.owner,
        }
    }

    fn dir(&self) -> PathBuf {
        self.sandbox.dir.join(&self.record.name)
    }

    fn tls_dir(&self) -> PathBuf {
        self.dir().join("tls")
    }
}
