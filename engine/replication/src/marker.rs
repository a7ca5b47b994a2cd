//! What our own transactions say of themselves in the WAL.

use std::fmt;
use std::str::FromStr;

use synapse_engine_identity::{Epoch, Hlc, Origin};
use synapse_wal_types::{Lsn, Xid};

/// Prefix of our logical messages.
pub const PREFIX: &str = "synapse";

/// The first item of every transaction of an apply session. Text form, so that `pg_waldump` and a person can read it:
/// `kind|origin|first|last|hlc|h|epoch|xmin`, where the server appends the last field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// What the transaction is for.
    pub kind: MarkerKind,
    /// Whose transactions it carries.
    pub origin: Origin,
    /// The first of them.
    pub first: Lsn,
    /// The last of them. A transaction whose marker is written commits exactly `first..=last`, or nothing.
    pub last: Lsn,
    /// Time of the last.
    pub hlc: Hlc,
    /// How far capture had read when the earliest verdict of the transaction was taken.
    pub decided_at: Lsn,
    /// The policies by which it was decided.
    pub epoch: Epoch,
    /// `pg_snapshot_xmin(pg_current_snapshot())` of the transaction: every xid below had ended.
    pub xmin: Xid,
}

/// What a transaction of an apply session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerKind {
    /// Transactions of a peer.
    Batch,
    /// Rows of an earlier batch or re-check, resolved again; the marker it re-checks ends at `of`.
    Recheck {
        /// End of the marker's transaction.
        of: Lsn,
    },
}

/// A committed message by which a reader of the stream knows that it has passed a point. Text form `barrier|id|xmin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// Chosen by who waits for it; unique within one run of a daemon.
    pub id: u64,
    /// As in [`Marker`].
    pub xmin: Xid,
}

/// One of our messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The transaction is ours.
    Marker(Marker),
    /// A point in the stream.
    Barrier(Barrier),
}

/// A message with our prefix that we cannot read: written by another version, or by someone else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreadable message with prefix \"synapse\": {text:?}")]
pub struct UnreadableMessage {
    text: String,
}

impl Marker {
    /// The text without the last field: `'…' || pg_snapshot_xmin(pg_current_snapshot())` makes the whole.
    #[must_use]
    pub fn stem(&self) -> String {
        let Marker {
            kind,
            origin,
            first,
            last,
            hlc,
            decided_at,
            epoch,
            xmin: _,
        } = self;
        format!("{kind}|{origin}|{first}|{last}|{hlc}|{decided_at}|{}|", epoch.0)
    }
}

impl Barrier {
    /// The text without the last field, as in [`Marker::stem`].
    #[must_use]
    pub fn stem(id: u64) -> String {
        format!("barrier|{id}|")
    }
}

impl fmt::Display for MarkerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MarkerKind::Batch => f.write_str("batch"),
            MarkerKind::Recheck { of } => write!(f, "recheck:{of}"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Marker(marker) => write!(f, "{}{}", marker.stem(), marker.xmin),
            Message::Barrier(barrier) => write!(f, "{}{}", Barrier::stem(barrier.id), barrier.xmin),
        }
    }
}

impl FromStr for Message {
    type Err = UnreadableMessage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| UnreadableMessage {
            text: text.chars().take(200).collect(),
        })
    }
}

fn parse(text: &str) -> Option<Message> {
    let fields: Vec<&str> = text.split('|').collect();
    // The server's xid8 has 64 bits; what stands in tuples, and is compared by age, are the lower 32.
    let xmin = |field: &str| {
        field
            .parse::<u64>()
            .ok()
            .and_then(|x| u32::try_from(x & 0xFFFF_FFFF).ok())
            .map(Xid)
    };
    Some(match fields.as_slice() {
        ["barrier", id, last] => Message::Barrier(Barrier {
            id: id.parse().ok()?,
            xmin: xmin(last)?,
        }),
        [kind, origin, first, last, hlc, decided_at, epoch, xid] => Message::Marker(Marker {
            kind: match kind.split_once(':') {
                None if *kind == "batch" => MarkerKind::Batch,
                Some(("recheck", of)) => MarkerKind::Recheck { of: of.parse().ok()? },
                None | Some(_) => return None,
            },
            origin: origin.parse().ok()?,
            first: first.parse().ok()?,
            last: last.parse().ok()?,
            hlc: Hlc(hlc.parse().ok()?),
            decided_at: decided_at.parse().ok()?,
            epoch: Epoch(epoch.parse().ok()?),
            xmin: xmin(xid)?,
        }),
        [..] => return None,
    })
}
