//! The rows of a whole table, out of a snapshot and into another server.

use bytes::Bytes;
use futures_util::{SinkExt, Stream, TryStreamExt};
use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Socket};

use crate::error::{Error, Result};
use crate::name::{literal, relation};
use crate::render;
use crate::session::{Options, connect};

/// What is kept beside a table of its rows that are displaced. It is copied with the table: of another moment, a row that was
/// displaced or came back in between would be nowhere, or twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// The rows: `synapse.displaced`.
    Displaced,
    /// The rows in their way: `synapse.rivals`.
    Rivals,
}

impl Aside {
    /// All that is kept.
    pub const ALL: [Aside; 2] = [Aside::Displaced, Aside::Rivals];

    const fn name(self) -> &'static str {
        match self {
            Aside::Displaced => "synapse.displaced",
            Aside::Rivals => "synapse.rivals",
        }
    }

    const fn columns(self) -> &'static str {
        match self {
            Aside::Displaced => "table_schema, table_name, row_id, key, image, origin, hlc, rivals, displaced_at",
            Aside::Rivals => "table_schema, table_name, row_id, rival_id, row_key, rival_key, origin, hlc",
        }
    }

    /// That a row of it is of `table`, as SQL.
    fn is_of(table: &Table) -> String {
        let (schema, name) = (literal(&table.schema), literal(&table.name));
        format!("table_schema = {schema} AND table_name = {name}")
    }
}

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

    /// What is kept of the table's displaced rows, as [`Self::rows`] gives the others.
    ///
    /// # Errors
    /// What the server says.
    pub async fn aside(&self, table: &Table, aside: Aside) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let (columns, name, is_of) = (aside.columns(), aside.name(), Aside::is_of(table));
        let sql = format!("COPY (SELECT {columns} FROM {name} WHERE {is_of}) TO STDOUT");
        let doing = Error::doing("copy displaced rows out");
        let stream = self.client.copy_out(&sql).await.map_err(doing)?;
        Ok(stream.map_err(doing))
    }
}

/// A session that fills tables from a copy. It has no origin and writes no marker: nothing reads the stream of a node
/// that is being filled.
#[derive(Debug)]
pub struct CopyTarget {
    client: Client,
}

/// A table that is full, in a transaction that is open. Dropped, nothing of it stays, and the session is of no further use.
#[derive(Debug)]
#[must_use = "nothing stays that is not committed"]
pub struct Filled<'t> {
    client: &'t Client,
    rows: u64,
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

    /// Makes the table's own rows these, in COPY's text format with columns in the order given, in a transaction that is
    /// open then. Rows that a copy left which was cut off go first. An error of the stream of rows is handed back as it is,
    /// and nothing of them stays; the session is of no further use then.
    pub async fn replace<E: From<Error>>(
        &self,
        table: &Table,
        columns: &[ColumnId],
        rows: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
    ) -> std::result::Result<Filled<'_>, E> {
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
        let rows = copy_in(client, &render::copy_in(table, columns), rows).await?;
        Ok(Filled { client, rows })
    }
}

impl Filled<'_> {
    /// Makes what is kept of the table's displaced rows these, as [`CopyTarget::replace`] does.
    ///
    /// # Errors
    /// As [`CopyTarget::replace`].
    pub async fn aside<E: From<Error>>(
        &self,
        table: &Table,
        aside: Aside,
        rows: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
    ) -> std::result::Result<(), E> {
        let (columns, name, is_of) = (aside.columns(), aside.name(), Aside::is_of(table));
        let doing = Error::doing("forget displaced rows of a copy that was cut off");
        let before = format!("DELETE FROM {name} WHERE {is_of}");
        self.client.batch_execute(&before).await.map_err(doing)?;
        let sql = format!("COPY {name} ({columns}) FROM STDIN");
        copy_in(self.client, &sql, rows).await.map(|_| ())
    }

    /// Commits; answers with the number of the table's rows.
    ///
    /// # Errors
    /// What the server says.
    pub async fn commit(self) -> Result<u64> {
        let doing = Error::doing("commit a copied table");
        self.client.batch_execute("COMMIT").await.map_err(doing)?;
        Ok(self.rows)
    }
}

async fn copy_in<E: From<Error>>(
    client: &Client,
    sql: &str,
    rows: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
) -> std::result::Result<u64, E> {
    let doing = Error::doing("copy a table in");
    let sink = client.copy_in(sql).await.map_err(doing)?;
    let mut sink = std::pin::pin!(sink);
    let mut rows = std::pin::pin!(rows);
    // On an error the sink is dropped unfinished: the server fails the COPY, and with it the transaction.
    while let Some(piece) = rows.try_next().await? {
        sink.as_mut().feed(piece).await.map_err(doing)?;
    }
    Ok(sink.as_mut().finish().await.map_err(doing)?)
}
