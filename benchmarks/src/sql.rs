//! Sessions over TCP, as applications have them.

use anyhow::Context;
use synapse_wal_types::Lsn;
use tokio_postgres::{Client, Config, NoTls};

/// The database of every cluster.
pub(crate) const DATABASE: &str = "app";

/// A session with the server on this port of 127.0.0.1.
pub(crate) async fn connect(port: u16, database: &str) -> anyhow::Result<Client> {
    let mut config = Config::new();
    config
        .host("127.0.0.1")
        .port(port)
        .user("postgres")
        .dbname(database)
        .application_name("synapse-benchmarks");
    let connected = config.connect(NoTls).await;
    let (client, connection) = connected.with_context(|| format!("cannot reach PostgreSQL on port {port}"))?;
    // The task ends with the client; what goes wrong on the way is reported by the client's calls.
    tokio::spawn(connection);
    Ok(client)
}

/// Runs statements one after the other, each in its own transaction.
pub(crate) async fn run(client: &Client, statements: &[impl AsRef<str>]) -> anyhow::Result<()> {
    for statement in statements {
        let statement = statement.as_ref();
        client
            .batch_execute(statement)
            .await
            .with_context(|| format!("cannot run {statement}"))?;
    }
    Ok(())
}

/// The one value, as text, that a query returns.
pub(crate) async fn value(client: &Client, sql: &str) -> anyhow::Result<String> {
    let row = client
        .query_one(sql, &[])
        .await
        .with_context(|| format!("cannot run {sql}"))?;
    row.try_get(0).with_context(|| format!("{sql} returns no text"))
}

/// Where the server's log ends now: after everything that is committed.
pub(crate) async fn log_end(client: &Client) -> anyhow::Result<Lsn> {
    let position = value(client, "SELECT pg_current_wal_insert_lsn()::text").await?;
    let parsed = position.parse();
    parsed.map_err(|_| anyhow::anyhow!("{position} is no log position"))
}
