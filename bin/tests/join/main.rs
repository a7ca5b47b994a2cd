//! Nodes that join: filled from another under load, refused, replaced, killed half-way.
#![cfg(test)]

#[path = "../cluster/mod.rs"]
#[expect(dead_code, unused_imports, reason = "other tests use the rest of it")]
mod cluster;
mod crashes;
mod displaced;
mod filled;
mod load;
mod refused;

use synapse_engine_sandbox::PgBin;

use cluster::{Cluster, Server};

/// Tables of every kind that is copied differently: without a key, with columns that are computed, with references.
const TABLES: &str = "
    CREATE TABLE t (id bigserial PRIMARY KEY, v text, n int NOT NULL DEFAULT 0, twice int GENERATED ALWAYS AS (n * 2) STORED);
    CREATE TABLE k (v text);
    CREATE TABLE i (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t bigint REFERENCES t, v jsonb);";
/// Their names.
const NAMES: [&str; 3] = ["t", "k", "i"];

/// Adds a node of this machine's own server; its tables are missing.
async fn add(cluster: &mut Cluster, name: &str) {
    add_of(cluster, name, Server::Own).await;
}

/// Adds a node of this server; its tables are missing.
async fn add_of(cluster: &mut Cluster, name: &str, server: Server) {
    let bin = PgBin::All(server.bin());
    if let Err(error) = cluster.sandbox_mut().add(name, &bin, &|_| {}).await {
        panic!("{name} is not added: {error}\n{}", cluster.report().await);
    }
}

/// Fills the tables of a node with so many rows.
async fn fill(cluster: &Cluster, node: &str, rows: u32) {
    let sql = format!(
        "INSERT INTO t (v, n) SELECT md5(g::text) || E'\\n\\t\\\\', g FROM generate_series(1, {rows}) g;
         INSERT INTO k SELECT g::text FROM generate_series(1, 1000) g;
         INSERT INTO i (t, v) SELECT id, jsonb_build_object('n', n, 'none', NULL) FROM t ORDER BY id LIMIT 1000;"
    );
    cluster.sql(node, &sql).await;
}
