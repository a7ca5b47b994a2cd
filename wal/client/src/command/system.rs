use bytes::Bytes;
use synapse_wal_types::{Lsn, SystemId, TimelineId};

use super::quote;
use crate::connection::{Connection, ResultSet};
use crate::error::Error;

/// The answer to `IDENTIFY_SYSTEM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemIdentity {
    /// Shared by a server and its physical copies.
    pub system: SystemId,
    /// The timeline that the server writes, or replays, now.
    pub timeline: TimelineId,
    /// The end of what the server has flushed.
    pub flushed: Lsn,
    /// The connection's database; `None` in a physical session.
    pub database: Option<String>,
}

/// The answer to `TIMELINE_HISTORY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineHistory {
    /// The file's name, like `00000002.history`.
    pub file_name: String,
    /// The file's bytes; their encoding is that of whoever wrote the restore points' names.
    pub content: Bytes,
}

impl Connection {
    /// `IDENTIFY_SYSTEM`.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub async fn identify_system(&mut self) -> Result<SystemIdentity, Error> {
        let wrong = |expected| Error::Result {
            command: "IDENTIFY_SYSTEM",
            expected,
        };
        let mut results = self.query("IDENTIFY_SYSTEM").await?;
        let rows = results.pop().map(ResultSet::into_text).transpose()?.unwrap_or_default();
        let [row] = <[_; 1]>::try_from(rows).map_err(|_| wrong("one row"))?;
        let [system, timeline, flushed, database] = <[_; 4]>::try_from(row).map_err(|_| wrong("four columns"))?;
        let system = system
            .and_then(|text| text.parse().ok())
            .ok_or(wrong("a number as system identifier"))?;
        let timeline = timeline
            .and_then(|text| text.parse().ok())
            .ok_or(wrong("a number as timeline"))?;
        let flushed = flushed
            .and_then(|text| text.parse().ok())
            .ok_or(wrong("a log position"))?;
        Ok(SystemIdentity {
            system: SystemId(system),
            timeline: TimelineId(timeline),
            flushed,
            database,
        })
    }

    /// `SHOW`: the value of one parameter.
    ///
    /// # Errors
    /// As [`Connection::query`]; 42704 for an unknown parameter.
    pub async fn show(&mut self, parameter: &str) -> Result<String, Error> {
        let wrong = Error::Result {
            command: "SHOW",
            expected: "one value",
        };
        let rows = self.rows(&format!("SHOW {}", quote::identifier(parameter))).await?;
        rows.into_iter().flatten().next().flatten().ok_or(wrong)
    }

    /// `TIMELINE_HISTORY`: how this timeline came to be. Timeline 1 has no history file (58P01).
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub async fn timeline_history(&mut self, timeline: TimelineId) -> Result<TimelineHistory, Error> {
        let wrong = |expected| Error::Result {
            command: "TIMELINE_HISTORY",
            expected,
        };
        let rows = self
            .query(&format!("TIMELINE_HISTORY {timeline}"))
            .await?
            .pop()
            .unwrap_or_default()
            .rows;
        let [row] = <[_; 1]>::try_from(rows).map_err(|_| wrong("one row"))?;
        let [Some(file_name), Some(content)] = <[_; 2]>::try_from(row).map_err(|_| wrong("two columns"))? else {
            return Err(wrong("two values"));
        };
        let file_name = String::from_utf8(file_name.into()).map_err(|_| wrong("a file name in UTF-8"))?;
        Ok(TimelineHistory { file_name, content })
    }
}
