//! What every server of a benchmark is set to, and the proof that both sides are.

use anyhow::Context;
use tokio_postgres::Client;

/// What a sandbox gives to its servers; ours have it from there, native ones from here.
pub(crate) const SANDBOX: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("wal_level", "logical"),
    ("track_commit_timestamp", "on"),
    ("max_connections", "200"),
    ("max_wal_senders", "20"),
    ("max_replication_slots", "20"),
    ("max_prepared_transactions", "10"),
    ("fsync", "on"),
    ("wal_retrieve_retry_interval", "50ms"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_line_prefix", "%m [%p] %q%a@%d "),
];

/// What benchmarks add, on both sides: neither checkpoints nor vacuum fall into one measurement and not into the other.
pub(crate) const TUNED: &[(&str, &str)] = &[
    ("autovacuum", "off"),
    ("checkpoint_timeout", "1h"),
    ("max_wal_size", "8GB"),
    ("shared_buffers", "512MB"),
];

/// Settings that differ because each server is at its own place.
const OF_THE_PLACE: &str = "'port', 'data_directory', 'config_file', 'hba_file', 'ident_file', 'external_pid_file', \
     'unix_socket_directories', 'application_name'";

/// The settings of [`TUNED`] as statements; they take effect at the next start.
pub(crate) fn alter_system() -> Vec<String> {
    let statement = |(name, value): &(&str, &str)| format!("ALTER SYSTEM SET {name} = '{value}'");
    TUNED.iter().map(statement).collect()
}

/// Names and values, by name.
pub(crate) type Settings = Vec<(String, String)>;

/// All settings of a server as an application's session has them, by name.
pub(crate) async fn of(client: &Client) -> anyhow::Result<Settings> {
    let sql = format!("SELECT name, setting FROM pg_settings WHERE name NOT IN ({OF_THE_PLACE}) ORDER BY name");
    let rows = client.query(&sql, &[]).await.context("cannot read pg_settings")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// A note that says in which settings the source servers of both sides differ.
pub(crate) fn compare(ours: &[(String, String)], native: &[(String, String)]) -> String {
    match differences(ours, native).as_slice() {
        [] => "The source servers of both sides have equal settings.".to_owned(),
        some => format!("Settings that differ: {}.", some.join("; ")),
    }
}

/// One line for each setting in which the two differ.
fn differences(ours: &[(String, String)], native: &[(String, String)]) -> Vec<String> {
    let of = |all: &[(String, String)], name: &str| {
        let found = all.iter().find(|(known, _)| known == name);
        found.map_or_else(|| "not set".to_owned(), |(_, value)| value.clone())
    };
    let mut names: Vec<&str> = ours.iter().chain(native).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let differ = names.into_iter().filter(|name| of(ours, name) != of(native, name));
    differ
        .map(|name| format!("{name}: ours {}, native {}", of(ours, name), of(native, name)))
        .collect()
}

#[cfg(test)]
mod tests;
