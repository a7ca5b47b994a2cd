//! Barriers: committed messages by which capture knows how far it has read.

use std::time::Duration;

use synapse_engine_replication::Barrier;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Socket};

use crate::error::{Error, Result};
use crate::session::{Options, SynchronousCommit, connect};

/// A side session that commits barriers while an apply transaction is open.
#[derive(Debug)]
pub struct BarrierSession {
    client: Client,
}

impl BarrierSession {
    /// Connects. Its commits wait for the local flush and for nothing else: without a flush no walsender would show
    /// the barrier, and a synchronous standby must not hold it up.
    pub async fn connect<T>(config: &Config, tls: T, application_name: &str) -> Result<BarrierSession>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let options = Options {
            application_name: application_name.to_owned(),
            // It takes no locks.
            lock_timeout: Duration::from_secs(1),
            synchronous_commit: SynchronousCommit::Local,
        };
        let client = connect(config, tls, &options).await?;
        Ok(BarrierSession { client })
    }

    /// Commits a barrier in a transaction of its own.
    pub async fn commit(&self, id: u64) -> Result<()> {
        let sql =
            "SELECT pg_logical_emit_message(true, 'synapse', $1 || pg_snapshot_xmin(pg_current_snapshot())::text)";
        let types = [postgres_types::Type::TEXT];
        let stem = Barrier::stem(id);
        let parameters: Vec<(&(dyn postgres_types::ToSql + Sync), _)> = vec![(&stem, types[0].clone())];
        let sent = self.client.execute_typed(sql, &parameters).await;
        sent.map(|_| ()).map_err(Error::doing("commit a barrier"))
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}
