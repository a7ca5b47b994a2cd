//! Keys whose equality is not that of their text.

use crate::cluster::{Cluster, MIXED};

/// Table, type of the key, the key as one node writes it, and the same key as the other node does.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("k_numeric", "numeric", "1.0", "1.00"),
    ("k_citext", "citext", "'Straße'", "'STRAße'"),
    ("k_bpchar", "char(8)", "'ab'", "'ab  '"),
    ("k_interval", "interval", "'1 day'", "'24 hours'"),
    ("k_float", "float8", "0.0", "'-0'"),
    ("k_text", "text", "''", "''"),
    ("k_bytea", "bytea", "'\\x00'", "'\\000'"),
    (
        "k_uuid",
        "uuid",
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
        "'{A0EEBC999C0B4EF8BB6D6BB9BD380A11}'",
    ),
    ("k_jsonb", "jsonb", "'{\"a\": 1.0}'", "'{\"a\":1.00}'"),
    ("k_moment", "timestamptz", "'infinity'", "'infinity'"),
    ("k_enum", "mood", "'glad'", "'glad'"),
    ("k_range", "int4range", "'[1,3]'", "'[1,4)'"),
    (FOLDING, "text COLLATE folding", "'résumé'", "'RÉSUMÉ'"),
];

/// Which values a nondeterministic collation holds equal is known to the server alone: rows are found by such a key, but
/// two nodes that insert one key in two ways at once are not seen to do so.
const FOLDING: &str = "k_folding";

async fn prepared() -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all(
            "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'glad'); \
        CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        )
        .await;
    for (table, kind, _, _) in KEYS {
        cluster
            .sql_all(&format!("CREATE TABLE {table} (k {kind} PRIMARY KEY, n int NOT NULL)"))
            .await;
    }
    cluster
}

fn tables() -> Vec<&'static str> {
    KEYS.iter().map(|(table, _, _, _)| *table).collect()
}

#[tokio::test]
async fn a_row_is_found_by_a_key_that_is_written_in_another_way() {
    let cluster = prepared().await;
    for (table, _, key, _) in KEYS {
        cluster
            .sql("n1", &format!("INSERT INTO {table} VALUES ({key}, 1)"))
            .await;
    }
    cluster.settle().await;
    for (table, _, _, same) in KEYS {
        cluster
            .sql("n2", &format!("UPDATE {table} SET n = 2, k = {same} WHERE k = {same}"))
            .await;
    }
    cluster.equal(&tables()).await;
    for (table, _, key, _) in KEYS {
        cluster
            .sql("n1", &format!("UPDATE {table} SET n = 3 WHERE k = {key}"))
            .await;
    }
    cluster.equal(&tables()).await;
    for (table, _, _, _) in KEYS {
        assert_eq!(
            cluster.number("n2", &format!("SELECT sum(n) FROM {table}")).await,
            3,
            "{table}"
        );
    }
    for (table, _, key, same) in KEYS {
        cluster
            .sql(
                "n2",
                &format!("DELETE FROM {table} WHERE k = {same}; INSERT INTO {table} VALUES ({key}, 9)"),
            )
            .await;
    }
    cluster.equal(&tables()).await;
    for (table, _, _, _) in KEYS {
        assert_eq!(
            cluster.number("n1", &format!("SELECT sum(n) FROM {table}")).await,
            9,
            "{table}"
        );
    }
}

#[tokio::test]
async fn two_nodes_that_insert_one_key_in_two_ways_have_one_row_then() {
    let cluster = prepared().await;
    cluster.hold_all().await;
    let known = || KEYS.iter().filter(|(table, ..)| *table != FOLDING);
    for (table, _, key, same) in known() {
        cluster
            .sql("n1", &format!("INSERT INTO {table} VALUES ({key}, 1)"))
            .await;
        cluster
            .sql("n2", &format!("INSERT INTO {table} VALUES ({same}, 2)"))
            .await;
    }
    cluster.resume_all().await;
    let tables: Vec<&str> = known().map(|(table, ..)| *table).collect();
    cluster.equal(&tables).await;
    for table in tables {
        let sql = format!("SELECT array_agg(n) FROM {table}");
        assert_eq!(
            cluster.value("n1", &sql).await.as_deref(),
            Some("{2}"),
            "{table}: the later insert stays"
        );
    }
}
