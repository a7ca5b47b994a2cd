//! Our side of `capture`: the replication client and the decoder, as the daemon has them.

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};
use synapse_wal_client::{Connection, Dsn, Event, Feedback, Kind, LogicalStart, Session, Streaming};
use synapse_wal_pgoutput::{Assembler, Step};
use synapse_wal_types::{Lsn, SlotName};

use crate::recvlogical::PUBLICATION;

/// What to decode.
#[derive(Args, Clone, Debug)]
pub struct Backlog {
    /// The source, as libpq keywords
    #[arg(long)]
    dsn: String,
    /// The slot
    #[arg(long)]
    slot: String,
    /// Stop at the first position not below this one
    #[arg(long)]
    until: String,
}

/// What a backlog held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoded {
    /// Of pgoutput's messages, without the frames around them.
    pub bytes: u64,
    /// Rows and truncates.
    pub changes: u64,
    /// Committed ones.
    pub transactions: u64,
}

/// Reads a slot's backlog and decodes every message.
///
/// # Errors
/// A connection that cannot be made or is lost; messages that cannot be decoded.
pub async fn decode(backlog: &Backlog) -> anyhow::Result<Decoded> {
    let dsn: Dsn = backlog.dsn.parse().context("cannot read --dsn")?;
    let slot: SlotName = backlog.slot.parse().context("cannot read --slot")?;
    let until: Lsn = backlog.until.parse().context("cannot read --until")?;
    let connection = Connection::connect(&dsn, Kind::Logical, &Session::default()).await?;
    let options = LogicalStart {
        publications: vec![PUBLICATION.to_owned()],
        streaming: Streaming::Off,
        messages: true,
        feedback: Feedback::default(),
        ..LogicalStart::default()
    };
    let mut stream = connection.start_logical(&slot, Lsn::ZERO, options).await?;
    let mut assembler = Assembler::new();
    let mut decoded = Decoded::default();
    while let Some(event) = stream.next().await? {
        match event {
            Event::XLogData { data, .. } => {
                decoded.bytes += u64::try_from(data.len()).context("a message is too long")?;
                if take(assembler.feed(&data)?, &mut decoded) >= until {
                    break;
                }
            }
            Event::Keepalive { wal_end, .. } if wal_end >= until => break,
            Event::Keepalive { .. } => {}
        }
    }
    Ok(decoded)
}

/// Counts a step; where a commit ends, otherwise zero.
fn take(step: Step<'_>, decoded: &mut Decoded) -> Lsn {
    match step {
        Step::Change(_) | Step::ChunkChange { .. } => decoded.changes += 1,
        Step::Commit(commit) => {
            decoded.transactions += 1;
            return commit.end_lsn;
        }
        Step::Noted
        | Step::Begin(_)
        | Step::ChunkStart { .. }
        | Step::ChunkStop { .. }
        | Step::StreamAbort { .. }
        | Step::Message(_) => {}
    }
    Lsn::ZERO
}
