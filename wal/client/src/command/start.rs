use synapse_wal_types::{Lsn, SlotName, TimelineId};

use super::quote;
use crate::connection::{Collector, Connection, ServerVersion, Step};
use crate::error::Error;
use crate::stream::{Feedback, NextTimeline, Stream};

/// Whether transactions are sent before they commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Streaming {
    /// Never: large ones are spilled to the server's disk.
    Off,
    /// Once the server holds more than `logical_decoding_work_mem`.
    #[default]
    On,
    /// Also, with what a parallel applier needs to roll back (16 and later).
    Parallel,
}

/// Which transactions are sent (16 and later; before, all are).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OriginFilter {
    /// All.
    #[default]
    Any,
    /// Those without a replication origin; messages of the others are left out as well.
    Local,
}

/// What to ask of `pgoutput`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogicalStart {
    /// The publications; at least one. A missing one is an error (42704) inside the stream when the first change comes;
    /// from 18 on the server warns in its own log and goes on without it.
    pub publications: Vec<String>,
    /// Whether to send transactions before they commit.
    pub streaming: Streaming,
    /// Whether to send what `pg_logical_emit_message` wrote.
    pub messages: bool,
    /// Whether to send values in binary format: their bytes can hold identifiers of this server's catalogue.
    pub binary: bool,
    /// Whether to send prepared transactions at `PREPARE` (15 and later; the slot must have been created for it).
    pub two_phase: bool,
    /// Which transactions to send.
    pub origin: OriginFilter,
    /// What a requested reply reports until the first status: the slot's confirmed position as `flush`, so that
    /// the session counts as a synchronous standby from its first reply on.
    pub feedback: Feedback,
}

/// Where a physical stream starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhysicalStart {
    /// The slot, if any.
    pub slot: Option<SlotName>,
    /// The first byte wanted.
    pub start: Lsn,
    /// The timeline; the server's current one if `None`.
    pub timeline: Option<TimelineId>,
    /// What a requested reply reports until the first status.
    pub feedback: Feedback,
}

/// How a physical stream started.
#[derive(Debug)]
pub enum Started {
    /// It runs.
    Streaming(Stream),
    /// The timeline ends just where the stream should start: there is nothing to send.
    AtEndOfTimeline(Connection, NextTimeline),
}

impl Connection {
    /// `START_REPLICATION SLOT … LOGICAL`. The server starts at the later of `start` and the slot's confirmed position;
    /// zero stands for the latter.
    ///
    /// # Errors
    /// [`Error::SlotMissing`], [`Error::SlotActive`], [`Error::Version`], and as [`Connection::query`]. The connection
    /// is gone in every case.
    pub async fn start_logical(mut self, slot: &SlotName, start: Lsn, options: LogicalStart) -> Result<Stream, Error> {
        let command = logical(slot, start, &options, self.server_version())?;
        match self.start(&command).await? {
            None => Ok(Stream::new(self, options.feedback)),
            Some(_) => Err(Error::Result {
                command: "START_REPLICATION",
                expected: "a stream",
            }),
        }
    }

    /// `START_REPLICATION … PHYSICAL`.
    ///
    /// # Errors
    /// As [`Connection::start_logical`]; 58P01 when the server has removed that WAL.
    pub async fn start_physical(mut self, options: PhysicalStart) -> Result<Started, Error> {
        let slot = options
            .slot
            .map(|slot| format!(" SLOT {}", quote::identifier(slot.as_str())))
            .unwrap_or_default();
        let timeline = options
            .timeline
            .map(|timeline| format!(" TIMELINE {timeline}"))
            .unwrap_or_default();
        let command = format!("START_REPLICATION{slot} PHYSICAL {}{timeline}", options.start);
        match self.start(&command).await? {
            None => Ok(Started::Streaming(Stream::new(self, options.feedback))),
            Some(collector) => {
                let ended = Error::Result {
                    command: "START_REPLICATION",
                    expected: "a stream or the next timeline",
                };
                let next = NextTimeline::read(collector.finish())?.ok_or(ended)?;
                let connection = Connection::resume(self.frames, self.outbox, self.facts);
                Ok(Started::AtEndOfTimeline(connection, next))
            }
        }
    }

    /// Sends the command; `None` when copy-both mode began, else the command's results.
    async fn start(&mut self, command: &str) -> Result<Option<Collector>, Error> {
        self.send(command).await?;
        let mut collector = Collector::default();
        loop {
            let frame = self.frames.next("start replication").await?;
            match collector.take(&frame)? {
                Step::More => {}
                Step::CopyBoth => return Ok(None),
                Step::Failed(error) => return Err(error.into_slot()),
                Step::Ready => return Ok(Some(collector)),
            }
        }
    }
}

/// pgoutput's protocol: 2 streams transactions in progress (14), 3 knows two-phase commit (15), 4 parallel apply (16).
fn protocol(version: ServerVersion) -> u8 {
    match version.major {
        ..=14 => 2,
        15 => 3,
        16.. => 4,
    }
}

/// The command's text.
pub(super) fn logical(
    slot: &SlotName,
    start: Lsn,
    options: &LogicalStart,
    version: ServerVersion,
) -> Result<String, Error> {
    let mut list = vec![
        format!("proto_version '{}'", protocol(version)),
        format!("publication_names {}", quote::identifiers(&options.publications)),
    ];
    match options.streaming {
        Streaming::Off => {}
        Streaming::On => list.push("streaming 'on'".to_owned()),
        Streaming::Parallel => {
            version.needs(16, "streaming parallel")?;
            list.push("streaming 'parallel'".to_owned());
        }
    }
    if options.messages {
        list.push("messages 'true'".to_owned());
    }
    if options.binary {
        list.push("binary 'true'".to_owned());
    }
    if options.two_phase {
        version.needs(15, "two_phase")?;
        list.push("two_phase 'on'".to_owned());
    }
    match options.origin {
        OriginFilter::Any => {}
        OriginFilter::Local => {
            version.needs(16, "origin none")?;
            list.push("origin 'none'".to_owned());
        }
    }
    let slot = quote::identifier(slot.as_str());
    Ok(format!(
        "START_REPLICATION SLOT {slot} LOGICAL {start} ({})",
        list.join(", ")
    ))
}
