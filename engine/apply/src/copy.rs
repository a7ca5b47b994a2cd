//! The rows of a whole table, out of a snapshot and into another server.

use bytes::Bytes;
use futures_util::{SinkExt, Stream, TryStreamExt};
use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Socket};

use crate::error::{Error, Result};
use crate::name::relation;
use crate::render;
use crate::session::{Options, connect};

/// A session that reads tables as an exported snapshot shows them.
#[derive(Debug)]
pub struct CopySource {
    client: Client,
}

impl CopySource {
    /// Connects, and opens a transaction that sees what `snapshot` sees. The session that exported it must still be
    /// there; afterwards it need not be.
    pub async fn connect<T>(config: &Config, tls: T, options: &Options, snapshot: &str) -> Result<CopySource>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let client = connect(config, tls, options).await?;
        let name = snapshot.replace('\'', "''");
        let sql = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{name}'");
        client
            .batch_execute(&sql)
            .await
            .map_err(Error::doing("take a snapshot"))?;
        Ok(CopySource { client })
    }

    /// The table's own rows in COPY's text format, columns in the order given. Pieces end at ends of rows.
    pub async fn rows(
        &self,
        table: &Table,
        columns: &[ColumnId],
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let stream = self.client.copy_out(&render::copy_out(table, columns)).await;
        let stream = stream.map_err(Error::doing("copy a table out"))?;
        Ok(stream.map_err(Error::doing("copy a table out")))
    }
}

/// A session that fills tables from a copy. It has no origin and writes no marker: nothing reads the stream of a node
/// that is being filled.
#[derive(Debug)]
pub struct CopyTarget {
    client: Client,
}

impl CopyTarget {
    /// Connects and sets up the session. Commits return when they are flushed if `options` say so, which they should:
    /// a table that counts as copied must not vanish in a crash.
    pub async fn connect<T>(config: &Config, tls: T, options: &Options) -> Result<CopyTarget>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let client = connect(config, tls, options).await?;
        let settings = "SET session_replication_role = replica; SET row_security = off";
        let doing = Error::doing("set up a copy session");
        client.batch_execute(settings).await.map_err(doing)?;
        Ok(CopyTarget { client })
    }

    /// Makes the table's own rows these, in COPY's text format with columns in the order given, in one transaction;
    /// answers with their number. Rows that a copy left which was cut off go first. An error of the stream of rows is
    /// handed back as it is, and nothing of them stays; the session is of no further use then.
    pub async fn replace<E: From<Error>>(
        &self,
        table: &Table,
        columns: &[ColumnId],
        rows: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
    ) -> std::result::Result<u64, E> {
        let name = relation(table);
        let client = &self.client;
        // A copy that was cut off may still be on its way to its end: the lock waits for it.
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; LOCK TABLE ONLY {name} IN SHARE ROW EXCLUSIVE MODE; DELETE FROM ONLY {name}"
        );
        client
            .batch_execute(&begin)
            .await
            .map_err(Error::doing("empty a table"))?;
        let doing = Error::doing("copy a table in");
        let sink = client.copy_in(&render::copy_in(table, columns)).await.map_err(doing)?;
        let mut sink = std::pin::pin!(sink);
        let mut rows = std::pin::pin!(rows);
        // On an error the sink is dropped unfinished: the server fails the COPY, and with it the transaction.
        while let Some(piece) = rows.try_next().await? {
            sink.as_mut().feed(piece).await.map_err(doing)?;
        }
        let count = sink.as_mut().finish().await.map_err(doing)?;
        let doing = Error::doing("commit a copied table");
        client.batch_execute("COMMIT").await.map_err(doing)?;
        Ok(count)
    }
}
