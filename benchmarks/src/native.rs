//! PostgreSQL's own logical replication: one publisher, the others subscribe.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::{CATCH_UP_MAX, Node};
use crate::plain::PlainServer;
use crate::recvlogical::PUBLICATION;
use crate::run::Session;
use crate::{cluster, sql};

/// How long a worker may take to end.
const WORKER_MAX: Duration = Duration::from_secs(60);
/// Between two looks at whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a new subscription does about rows that the publisher has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There are none, or they are here.
    Leave,
    /// They are copied.
    Copy,
}

/// Servers, of which the first publishes.
#[derive(Debug)]
pub(crate) struct Native {
    servers: Vec<PlainServer>,
}

impl Native {
    pub(crate) async fn up(session: &Session<'_>, place: &Path, nodes: usize) -> anyhow::Result<Native> {
        let mut servers = Vec::new();
        for number in 1..=nodes {
            servers.push(PlainServer::start(&place.join(format!("p{number}")), &session.server.bin).await?);
        }
        Ok(Native { servers })
    }

    pub(crate) fn nodes(&self) -> Vec<Node> {
        let node = |server: &PlainServer| Node {
            port: server.port,
            data_dir: server.data_dir.clone(),
        };
        self.servers.iter().map(node).collect()
    }

    /// Publishes all tables of the first and subscribes the others, which have the same tables.
    pub(crate) async fn subscribe(&self, standing: Standing) -> anyhow::Result<()> {
        let Some((publisher, subscribers)) = self.servers.split_first() else {
            return Ok(());
        };
        publish(publisher).await?;
        let copy_data = standing == Standing::Copy;
        for (index, subscriber) in subscribers.iter().enumerate() {
            let client = sql::connect(subscriber.port, sql::DATABASE).await?;
            let from = format!(
                "host=127.0.0.1 port={} user=postgres dbname={}",
                publisher.port,
                sql::DATABASE
            );
            let statement = format!(
                "CREATE SUBSCRIPTION benchmark CONNECTION '{from}' PUBLICATION {PUBLICATION} \
                 WITH (copy_data = {copy_data}, slot_name = 'subscriber_{index}')"
            );
            sql::run(&client, &[statement]).await?;
        }
        Ok(())
    }

    /// Waits until every table of every subscription is past its initial copy and follows the stream.
    pub(crate) async fn wait_copied(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + CATCH_UP_MAX;
        let ready = "SELECT (count(*) > 0 AND bool_and(srsubstate = 'r'))::text FROM pg_subscription_rel";
        for subscriber in self.servers.iter().skip(1) {
            let client = sql::connect(subscriber.port, sql::DATABASE).await?;
            while sql::value(&client, ready).await? != "true" {
                anyhow::ensure!(Instant::now() < deadline, "a subscription did not end its initial copy");
                tokio::time::sleep(cluster::LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Returns when the workers have ended.
    pub(crate) async fn disable(&self) -> anyhow::Result<()> {
        for subscriber in self.servers.iter().skip(1) {
            let client = sql::connect(subscriber.port, sql::DATABASE).await?;
            sql::run(&client, &["ALTER SUBSCRIPTION benchmark DISABLE"]).await?;
            let deadline = Instant::now() + WORKER_MAX;
            let workers = "SELECT count(pid)::text FROM pg_stat_subscription WHERE pid IS NOT NULL";
            while sql::value(&client, workers).await? != "0" {
                anyhow::ensure!(Instant::now() < deadline, "a subscription's worker did not end");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    pub(crate) async fn enable(&self) -> anyhow::Result<()> {
        for subscriber in self.servers.iter().skip(1) {
            let client = sql::connect(subscriber.port, sql::DATABASE).await?;
            sql::run(&client, &["ALTER SUBSCRIPTION benchmark ENABLE"]).await?;
        }
        Ok(())
    }
}

/// Publishes all tables of a server.
pub(crate) async fn publish(server: &PlainServer) -> anyhow::Result<()> {
    let client = sql::connect(server.port, sql::DATABASE).await?;
    sql::run(&client, &[format!("CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES")]).await
}
