//! SQL on the servers, as applications have it.

use synapse_engine_sandbox::{Error, StatementResult, run_sql};
use tokio_postgres::{Client, NoTls};

use super::Cluster;

/// Rows of text; `None` is NULL.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

impl Cluster {
    /// Runs statements on a node, as one implicit transaction unless they begin and end their own.
    #[track_caller]
    pub(crate) fn sql(&self, node: &str, sql: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            if let Err(error) = self.try_sql(node, sql).await {
                panic!("{caller}: {error}\nin: {sql}\n{}", self.report().await);
            }
        }
    }

    /// Runs statements on every node, one after the other.
    pub(crate) async fn sql_all(&self, sql: &str) {
        for name in self.names() {
            self.sql(&name, sql).await;
        }
    }

    /// Runs statements that may fail.
    pub(crate) async fn try_sql(&self, node: &str, sql: &str) -> Result<Vec<StatementResult>, Error> {
        let database = &self.sandbox().record().database;
        run_sql(self.node(node), database, sql).await
    }

    /// The rows that the last statement returns.
    pub(crate) async fn query(&self, node: &str, sql: &str) -> Rows {
        match self.try_sql(node, sql).await {
            Ok(results) => results.into_iter().next_back().expect("a query has a result").rows,
            Err(error) => panic!("{error}\nin: {sql}\n{}", self.report().await),
        }
    }

    /// The one value of a query of one row and one column; NULL is `None`.
    pub(crate) async fn value(&self, node: &str, sql: &str) -> Option<String> {
        let rows = self.query(node, sql).await;
        assert!(
            rows.len() == 1 && rows[0].len() == 1,
            "one value is asked for: {sql} gave {rows:?}"
        );
        rows.into_iter().flatten().next().flatten()
    }

    /// The value of a query as a number.
    pub(crate) async fn number(&self, node: &str, sql: &str) -> i64 {
        self.value(node, sql)
            .await
            .expect("the value is not NULL")
            .parse()
            .expect("the value is a number")
    }

    /// A session that stays, for transactions that last.
    pub(crate) async fn session(&self, node: &str) -> Client {
        let dsn = &self.node(node).dsn;
        let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}
