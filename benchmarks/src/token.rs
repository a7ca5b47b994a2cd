//! Rows that say how far replication is: commits of one node arrive in their order on both sides, so that a node that
//! shows a token has applied all that was committed before it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;
use tokio_postgres::{Client, Statement};

use crate::sql;

/// The tokens' table, for every node of a cluster.
pub(crate) const TABLE: &str = "CREATE TABLE benchmark_token (id bigint PRIMARY KEY)";

static NEXT: AtomicI64 = AtomicI64::new(1);

/// One row. Tokens ascend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(i64);

/// Commits tokens on one node.
pub(crate) struct Writer {
    client: Client,
    insert: Statement,
}

impl Writer {
    pub(crate) async fn connect(port: u16) -> anyhow::Result<Writer> {
        let client = sql::connect(port, sql::DATABASE).await?;
        sql::run(&client, &["SET synchronous_commit = on"]).await?;
        let insert = client.prepare("INSERT INTO benchmark_token VALUES ($1)").await?;
        Ok(Writer { client, insert })
    }

    /// Commits the next token; it is durable on return.
    pub(crate) async fn write(&self) -> anyhow::Result<Token> {
        let token = NEXT.fetch_add(1, Ordering::Relaxed);
        self.client
            .execute(&self.insert, &[&token])
            .await
            .context("cannot write a token")?;
        Ok(Token(token))
    }
}

/// Looks for tokens on another node.
pub(crate) struct Reader {
    client: Client,
    newest: Statement,
}

impl Reader {
    pub(crate) async fn connect(port: u16) -> anyhow::Result<Reader> {
        let client = sql::connect(port, sql::DATABASE).await?;
        let newest = client.prepare("SELECT max(id) FROM benchmark_token").await?;
        Ok(Reader { client, newest })
    }

    /// The newest token that is visible here.
    pub(crate) async fn newest(&self) -> anyhow::Result<Option<Token>> {
        let row = self
            .client
            .query_one(&self.newest, &[])
            .await
            .context("cannot look for tokens")?;
        Ok(row.get::<_, Option<i64>>(0).map(Token))
    }

    /// Asks without a pause until the token is visible: the finest time, at the price of a busy core.
    pub(crate) async fn spin(&self, token: Token, limit: Duration) -> anyhow::Result<()> {
        self.look(token, None, limit).await
    }

    /// Asks with this pause until the token is visible.
    pub(crate) async fn wait(&self, token: Token, pause: Duration, limit: Duration) -> anyhow::Result<()> {
        self.look(token, Some(pause), limit).await
    }

    async fn look(&self, token: Token, pause: Option<Duration>, limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while self.newest().await? < Some(token) {
            anyhow::ensure!(
                Instant::now() < deadline,
                "a commit was not visible after {} s",
                limit.as_secs()
            );
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }
}
