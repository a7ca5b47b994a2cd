use std::str::FromStr;

use synapse_wal_types::{Lsn, SlotName, TimelineId};

use super::quote;
use crate::connection::{Connection, ResultSet, ServerVersion};
use crate::error::Error;

/// How long a slot lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotLife {
    /// Until it is dropped.
    Permanent,
    /// Until the session ends or has an error, whichever comes first.
    Temporary,
}

/// What becomes of the snapshot that a logical slot starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotSnapshot {
    /// It is exported for `SET TRANSACTION SNAPSHOT` elsewhere, until this session's next command.
    Export,
    /// It is thrown away.
    None,
    /// This session's current transaction takes it: it must be the transaction's first command, under
    /// `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`.
    Use,
}

/// A logical slot to create; its plugin is `pgoutput`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogicalSlot {
    /// How long it lives.
    pub life: SlotLife,
    /// What becomes of its snapshot.
    pub snapshot: SlotSnapshot,
}

/// A physical slot to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhysicalSlot {
    /// How long it lives.
    pub life: SlotLife,
    /// Whether WAL is kept from now on, or from the first connection on.
    pub reserve_wal: bool,
}

/// A slot that has just been created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedSlot {
    /// The earliest position from which the slot streams; zero for a physical slot.
    pub consistent_point: Lsn,
    /// The exported snapshot's name.
    pub snapshot: Option<String>,
}

/// A physical slot as `READ_REPLICATION_SLOT` sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// WAL from here on is kept; `None` if none is.
    pub restart: Option<Lsn>,
    /// The timeline of that position.
    pub timeline: Option<TimelineId>,
}

/// What to do about a slot that another session uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhileActive {
    /// Fail with [`Error::SlotActive`].
    Fail,
    /// Wait until it is released.
    Wait,
}

impl Connection {
    /// `CREATE_REPLICATION_SLOT … LOGICAL pgoutput`. It waits for every transaction that runs on the server.
    ///
    /// # Errors
    /// [`Error::SlotExists`], and as [`Connection::query`].
    pub async fn create_logical_slot(&mut self, name: &SlotName, slot: LogicalSlot) -> Result<CreatedSlot, Error> {
        let command = create_logical(name, slot, self.server_version());
        self.create_slot(&command).await
    }

    /// `CREATE_REPLICATION_SLOT … PHYSICAL`.
    ///
    /// # Errors
    /// [`Error::SlotExists`], and as [`Connection::query`].
    pub async fn create_physical_slot(&mut self, name: &SlotName, slot: PhysicalSlot) -> Result<CreatedSlot, Error> {
        let reserve = if slot.reserve_wal { " RESERVE_WAL" } else { "" };
        self.create_slot(&format!("{} PHYSICAL{reserve}", create(name, slot.life)))
            .await
    }

    async fn create_slot(&mut self, command: &str) -> Result<CreatedSlot, Error> {
        let wrong = |expected| Error::Result {
            command: "CREATE_REPLICATION_SLOT",
            expected,
        };
        let row = self.slot_row(command).await?.ok_or(wrong("one row"))?;
        let [_, point, snapshot, _] = <[_; 4]>::try_from(row).map_err(|_| wrong("four columns"))?;
        let point = point
            .and_then(|text| text.parse().ok())
            .ok_or(wrong("a log position"))?;
        Ok(CreatedSlot {
            consistent_point: point,
            snapshot,
        })
    }

    /// `DROP_REPLICATION_SLOT`.
    ///
    /// # Errors
    /// [`Error::SlotMissing`], [`Error::SlotActive`], and as [`Connection::query`].
    pub async fn drop_slot(&mut self, name: &SlotName, active: WhileActive) -> Result<(), Error> {
        let wait = match active {
            WhileActive::Fail => "",
            WhileActive::Wait => " WAIT",
        };
        self.slot_row(&format!("DROP_REPLICATION_SLOT {}{wait}", quoted(name)))
            .await
            .map(|_| ())
    }

    /// `READ_REPLICATION_SLOT` (15 and later): a physical slot's state; `None` when there is no such slot.
    ///
    /// # Errors
    /// [`Error::Version`], and as [`Connection::query`]; a logical slot is an error of the server.
    pub async fn read_physical_slot(&mut self, name: &SlotName) -> Result<Option<SlotState>, Error> {
        const COMMAND: &str = "READ_REPLICATION_SLOT";
        let wrong = |expected| Error::Result {
            command: COMMAND,
            expected,
        };
        self.server_version().needs(15, COMMAND)?;
        let row = self
            .slot_row(&format!("{COMMAND} {}", quoted(name)))
            .await?
            .ok_or(wrong("one row"))?;
        let [kind, restart, timeline] = <[_; 3]>::try_from(row).map_err(|_| wrong("three columns"))?;
        if kind.is_none() {
            return Ok(None);
        }
        let restart = parse(restart).map_err(|()| wrong("a log position"))?;
        let timeline = parse(timeline).map_err(|()| wrong("a timeline"))?.map(TimelineId);
        Ok(Some(SlotState { restart, timeline }))
    }

    /// The first row of a command that names a slot.
    async fn slot_row(&mut self, command: &str) -> Result<Option<Vec<Option<String>>>, Error> {
        let mut results = self.query(command).await.map_err(of_slot)?;
        let rows = results.pop().map(ResultSet::into_text).transpose()?;
        Ok(rows.and_then(|rows| rows.into_iter().next()))
    }
}

fn of_slot(error: Error) -> Error {
    if let Error::Server(server) = error {
        server.into_slot()
    } else {
        error
    }
}

fn parse<T: FromStr>(text: Option<String>) -> Result<Option<T>, ()> {
    text.map(|text| text.parse().map_err(|_| ())).transpose()
}

/// A slot's name may start with a digit, which the grammar takes in quotes only.
fn quoted(name: &SlotName) -> String {
    quote::identifier(name.as_str())
}

fn create(name: &SlotName, life: SlotLife) -> String {
    let temporary = match life {
        SlotLife::Permanent => "",
        SlotLife::Temporary => " TEMPORARY",
    };
    format!("CREATE_REPLICATION_SLOT {}{temporary}", quoted(name))
}

/// 15 brought the option list; its predecessor, which later versions still take, is the only form of 14.
pub(super) fn create_logical(name: &SlotName, slot: LogicalSlot, version: ServerVersion) -> String {
    let snapshot = match (slot.snapshot, version.major >= 15) {
        (SlotSnapshot::Export, true) => "(SNAPSHOT 'export')",
        (SlotSnapshot::None, true) => "(SNAPSHOT 'nothing')",
        (SlotSnapshot::Use, true) => "(SNAPSHOT 'use')",
        (SlotSnapshot::Export, false) => "EXPORT_SNAPSHOT",
        (SlotSnapshot::None, false) => "NOEXPORT_SNAPSHOT",
        (SlotSnapshot::Use, false) => "USE_SNAPSHOT",
    };
    format!("{} LOGICAL pgoutput {snapshot}", create(name, slot.life))
}
