//! Ordinary sessions on this node's server.

mod tls;

use std::sync::Arc;

use synapse_engine_apply::{Options, SynchronousCommit};
use synapse_wal_client::{ChannelBinding, Dsn, Endpoint, SslMode};
use tokio_postgres::{Client, Config, config};

use crate::error::Error;
use crate::shared::Shared;
pub(crate) use tls::Tls;

/// A row lock that the application holds longer than this makes the applier go on without that row's transaction first.
const LOCK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// How ordinary sessions are made: the driver's form of a connection string, and what encrypts them.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) tls: Tls,
}

/// How to reach the server of `dsn`, with TLS and its channel binding as replication connections have them.
///
/// # Errors
/// When the password, or a file of `sslrootcert`, `sslcert` or `sslkey`, cannot be read.
pub(crate) fn server(dsn: &Dsn) -> Result<Server, Error> {
    let mut config = Config::new();
    let tls = match endpoint(dsn) {
        Endpoint::Unix { directory, port } => {
            config.host_path(directory);
            config.port(port);
            None
        }
        Endpoint::Tcp { host, address, port } => {
            config.host(&host);
            if let Some(address) = address {
                config.hostaddr(address);
            }
            config.port(port);
            synapse_wal_client::tls::client_config(dsn)?.map(Arc::new)
        }
    };
    config
        .user(dsn.user())
        .dbname(dsn.database())
        .connect_timeout(dsn.connect_timeout())
        // The driver knows how much TLS there is to be; whom to believe is in the rustls configuration.
        .ssl_mode(match (&tls, dsn.ssl_mode()) {
            (None, _) | (Some(_), SslMode::Disable) => config::SslMode::Disable,
            (Some(_), SslMode::Prefer) => config::SslMode::Prefer,
            (Some(_), SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => config::SslMode::Require,
        })
        .channel_binding(match dsn.channel_binding() {
            ChannelBinding::Disable => config::ChannelBinding::Disable,
            ChannelBinding::Prefer => config::ChannelBinding::Prefer,
            ChannelBinding::Require => config::ChannelBinding::Require,
        });
    if let Some(password) = dsn.password()? {
        config.password(password.expose());
    }
    if let Some(options) = dsn.options() {
        config.options(options);
    }
    Ok(Server {
        config,
        tls: Tls { config: tls },
    })
}

/// The first place where the server may listen; a Unix socket only while its file is there. The driver has one `sslmode`
/// for all places that it tries, and sockets never use TLS.
fn endpoint(dsn: &Dsn) -> Endpoint {
    let mut endpoints = dsn.endpoints();
    let last = endpoints.pop().expect("a connection string has at least one endpoint");
    let there = |endpoint: &Endpoint| endpoint.socket_file().is_some_and(|file| file.exists());
    endpoints.into_iter().find(there).unwrap_or(last)
}

/// What sessions that write choose.
pub(crate) fn options(application: &str, synchronous_commit: SynchronousCommit) -> Options {
    Options {
        application_name: format!("synapsed {application}"),
        lock_timeout: LOCK_TIMEOUT,
        synchronous_commit,
    }
}

/// Connects an ordinary session whose commits are flushed.
pub(crate) async fn connect(shared: &Shared, application: &str) -> Result<Client, Error> {
    open(&shared.config.postgres.dsn, application).await
}

/// As [`connect`], before there is anything to share.
pub(crate) async fn open(dsn: &Dsn, application: &str) -> Result<Client, Error> {
    let options = options(application, SynchronousCommit::Local);
    let Server { config, tls } = server(dsn)?;
    Ok(synapse_engine_apply::connect(&config, tls, &options).await?)
}

#[cfg(test)]
mod tests;
