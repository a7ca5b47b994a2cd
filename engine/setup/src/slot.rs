use serde::{Deserialize, Serialize};
use synapse_wal_types::{Lsn, SlotName};
use tokio_postgres::{Client, error::SqlState};

use crate::{Error, Result};

/// A replication slot, as `pg_replication_slots` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotState {
    /// Up to where its consumer has confirmed; none for a physical slot.
    pub confirmed_flush: Option<Lsn>,
    /// The oldest WAL it holds back; none when it holds none.
    pub restart_lsn: Option<Lsn>,
    /// Bytes of WAL between `restart_lsn` and the server's insert position.
    pub retained_bytes: Option<u64>,
    /// The process that reads from it.
    pub active_pid: Option<i32>,
    /// Whether its WAL is still there.
    pub wal_status: Option<WalStatus>,
    /// The output plugin; none for a physical slot.
    pub plugin: Option<String>,
    /// The database it decodes; none for a physical slot.
    pub database: Option<String>,
}

/// Whether the WAL of a slot is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalStatus {
    /// Within `max_wal_size`.
    Reserved,
    /// Held back beyond `max_wal_size`.
    Extended,
    /// About to be removed: `max_slot_wal_keep_size` is exceeded.
    Unreserved,
    /// Gone: the slot is of no use any more.
    Lost,
}

/// Looks at a slot; none when there is none of that name.
///
/// # Errors
/// PostgreSQL's own.
pub async fn slot_state(client: &Client, name: &SlotName) -> Result<Option<SlotState>> {
    let row = client
        .query_opt(
            "SELECT (confirmed_flush_lsn - '0/0'::pg_lsn)::text, (restart_lsn - '0/0'::pg_lsn)::text, \
                    CASE WHEN NOT pg_is_in_recovery() \
                         THEN greatest(pg_current_wal_insert_lsn() - restart_lsn, 0)::text END, \
                    active_pid, wal_status, plugin::text, database::text \
               FROM pg_catalog.pg_replication_slots WHERE slot_name = $1::text::name",
            &[&name.as_str()],
        )
        .await
        .map_err(Error::doing("look at the slot"))?;
    let Some(row) = row else {
        return Ok(None);
    };
    let number = |column: usize| -> Result<Option<u64>> {
        let text: Option<String> = row.get(column);
        let problem = |text: &str| Error::Answer {
            what: "a slot",
            problem: format!("{text:?} is no position"),
        };
        text.map(|text| text.parse().map_err(|_| problem(&text))).transpose()
    };
    let wal_status: Option<String> = row.get(4);
    Ok(Some(SlotState {
        confirmed_flush: number(0)?.map(Lsn),
        restart_lsn: number(1)?.map(Lsn),
        retained_bytes: number(2)?,
        active_pid: row.get(3),
        wal_status: wal_status.as_deref().map(wal_status_of).transpose()?,
        plugin: row.get(5),
        database: row.get(6),
    }))
}

/// Drops a slot; answers whether there was one.
///
/// # Errors
/// [`Error::SlotActive`] while something reads from it.
pub async fn drop_slot(client: &Client, name: &SlotName) -> Result<bool> {
    let dropped = client
        .execute(
            "SELECT pg_catalog.pg_drop_replication_slot(slot_name) \
               FROM pg_catalog.pg_replication_slots WHERE slot_name = $1::text::name",
            &[&name.as_str()],
        )
        .await;
    match dropped {
        Ok(rows) => Ok(rows > 0),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => Ok(false),
        Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
            let pid = slot_state(client, name)
                .await?
                .and_then(|slot| slot.active_pid)
                .unwrap_or(0);
            Err(Error::SlotActive {
                slot: name.to_string(),
                pid,
            })
        }
        Err(error) => Err(Error::doing("drop the slot")(error)),
    }
}

fn wal_status_of(text: &str) -> Result<WalStatus> {
    match text {
        "reserved" => Ok(WalStatus::Reserved),
        "extended" => Ok(WalStatus::Extended),
        "unreserved" => Ok(WalStatus::Unreserved),
        "lost" => Ok(WalStatus::Lost),
        other => Err(Error::Answer {
            what: "a slot",
            problem: format!("unknown wal_status {other:?}"),
        }),
    }
}
