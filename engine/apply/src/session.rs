//! A session that writes: connected, set up, and the owner of one origin.

use std::sync::Arc;
use std::time::Duration;

use synapse_engine_identity::Origin;
use synapse_wal_types::{Lsn, Oid};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Socket};

use crate::error::{Error, Result};
use crate::origin;
use crate::settings::{DEADLOCK_TIMEOUT_MS, WRITER, session_settings, set};
use crate::statements::Statements;

/// When a commit of an apply session returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SynchronousCommit {
    /// At once; the log is flushed within the writer's delay. What a crash takes is applied again.
    Off,
    /// When the local log is flushed.
    Local,
}

/// What is chosen for a session.
#[derive(Clone, Debug)]
pub struct Options {
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
    /// A row lock that is not got for so long gives the transaction up.
    pub lock_timeout: Duration,
    /// When commits return.
    pub synchronous_commit: SynchronousCommit,
}

/// A session that applies the transactions of one origin. One transaction at a time.
#[derive(Debug)]
pub struct Session {
    pub(crate) client: Arc<Client>,
    pub(crate) statements: Statements,
    pub(crate) origin: Origin,
    pub(crate) roident: Oid,
    pub(crate) progress: Lsn,
    deadlock_timeout_set: bool,
}

impl Session {
    /// Connects, sets up the session and takes `origin`, which is made if the server does not know it. Waits while the
    /// backend of an earlier session still has it, at most half a minute.
    pub async fn connect<T>(config: &Config, tls: T, options: &Options, origin: Origin) -> Result<Session>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let client = connect(config, tls, options).await?;
        let doing = || Error::doing("set up an apply session");
        client.batch_execute(&set(WRITER)).await.map_err(doing())?;
        let deadlock = set(&[("deadlock_timeout", DEADLOCK_TIMEOUT_MS)]);
        let deadlock_timeout_set = client.batch_execute(&deadlock).await.is_ok();
        let roident = origin::ensure(&client, origin).await?;
        origin::take(&client, origin).await?;
        let progress = origin::progress(&client).await?;
        Ok(Session {
            client: Arc::new(client),
            statements: Statements::default(),
            origin,
            roident,
            progress,
            deadlock_timeout_set,
        })
    }

    /// The origin whose transactions it applies.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The origin's number on this server (`roident`).
    #[must_use]
    pub const fn roident(&self) -> Oid {
        self.roident
    }

    /// Up to where the origin's transactions were committed here: as read at the start, and moved by commits since.
    #[must_use]
    pub const fn progress(&self) -> Lsn {
        self.progress
    }

    /// Whether the role may set `deadlock_timeout`. If not, an application may be a deadlock's victim instead of us.
    #[must_use]
    pub const fn is_deadlock_timeout_set(&self) -> bool {
        self.deadlock_timeout_set
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Forgets what was read of tables: the catalogue has changed.
    pub fn forget_tables(&mut self) {
        self.statements = Statements::default();
    }

    /// Changes when commits return, from the next transaction on.
    pub async fn set_synchronous_commit(&mut self, when: SynchronousCommit) -> Result<()> {
        let sql = set(&[("synchronous_commit", when.setting())]);
        self.client
            .batch_execute(&sql)
            .await
            .map_err(Error::doing("set synchronous_commit"))
    }
}

impl SynchronousCommit {
    const fn setting(self) -> &'static str {
        match self {
            SynchronousCommit::Off => "off",
            SynchronousCommit::Local => "local",
        }
    }
}

/// Connects an ordinary session with all of its settings said explicitly. The driver's connection runs in a task of its
/// own that ends with the client.
pub async fn connect<T>(config: &Config, tls: T, options: &Options) -> Result<Client>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let mut config = config.clone();
    config.application_name(&options.application_name);
    let (client, connection) = config.connect(tls).await.map_err(Error::doing("connect"))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await
            && error.as_db_error().is_none()
        {
            tracing::warn!(%error, "a session's connection was lost");
        }
    });
    let lock_timeout = options.lock_timeout.as_millis().to_string();
    let chosen = [
        ("lock_timeout", lock_timeout.as_str()),
        ("synchronous_commit", options.synchronous_commit.setting()),
    ];
    let doing = || Error::doing("set up a session");
    let sql = set(session_settings()) + &set(&chosen);
    client.batch_execute(&sql).await.map_err(doing())?;
    // PostgreSQL 17 and later; and a database without an encoding, whose bytes are nobody's UTF-8.
    let later = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'; \
         SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE current_setting('server_encoding') = 'SQL_ASCII'";
    client.batch_execute(later).await.map_err(doing())?;
    Ok(client)
}
