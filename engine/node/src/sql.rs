//! Ordinary sessions on this node's server.

use synapse_engine_apply::{Options, SynchronousCommit};
use synapse_wal_client::{Dsn, Endpoint, SslMode};
use tokio_postgres::{Client, Config, NoTls};

use crate::error::Error;
use crate::shared::Shared;

/// A row lock that the application holds longer than this makes the applier go on without that row's transaction first.
const LOCK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// The driver's form of the configured connection string.
///
/// # Errors
/// When the password cannot be read, or TLS is asked for.
pub(crate) fn config(dsn: &Dsn) -> Result<Config, Error> {
    let mut config = Config::new();
    for endpoint in dsn.endpoints() {
        match endpoint {
            Endpoint::Unix { directory, port } => {
                config.host_path(directory);
                config.port(port);
            }
            Endpoint::Tcp { host, address, port } => {
                config.host(&host);
                if let Some(address) = address {
                    config.hostaddr(address);
                }
                config.port(port);
            }
        }
    }
    config
        .user(dsn.user())
        .dbname(dsn.database())
        .connect_timeout(dsn.connect_timeout());
    if let Some(password) = dsn.password()? {
        config.password(password.expose());
    }
    if let Some(options) = dsn.options() {
        config.options(options);
    }
    if !matches!(dsn.ssl_mode(), SslMode::Disable | SslMode::Prefer) {
        return Err(Error::Refused(
            "[postgres] dsn: sslmode beyond prefer is for replication connections only; hint: reach the local server over its Unix socket".to_owned(),
        ));
    }
    Ok(config)
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
    Ok(synapse_engine_apply::connect(&config(dsn)?, NoTls, &options).await?)
}
