use bytes::Bytes;
use synapse_wal_types::{Lsn, PgTimestamp};

use crate::error::Error;
use crate::wire::{Cursor, Frame};

/// One message inside the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A piece of WAL, or one message of the output plugin.
    XLogData {
        /// Where the piece starts; for a plugin's message the position that it belongs to, or zero.
        start: Lsn,
        /// The server's end of WAL when it was sent (for a plugin's message, equal to `start`).
        end: Lsn,
        /// The server's clock when it was sent.
        clock: PgTimestamp,
        /// The bytes. They share the read buffer: whoever keeps them long copies them.
        data: Bytes,
    },
    /// Nothing to send. With nothing pending, `wal_end` is what the client has seen, and reporting it lets commits
    /// that publish nothing return from synchronous replication.
    Keepalive {
        /// The server's end of WAL; in a logical stream, up to which it has decoded.
        wal_end: Lsn,
        /// The server's clock.
        clock: PgTimestamp,
        /// Whether the server drops the stream unless a status comes soon (half of `wal_sender_timeout` is left).
        reply_requested: bool,
    },
}

impl Event {
    /// Reads the content of a `CopyData` message.
    pub(super) fn read(frame: &Frame) -> Result<Self, Error> {
        let mut cursor = frame.cursor();
        match cursor.u8("w or k")? {
            b'w' => {
                let start = Lsn(cursor.u64("a start position")?);
                let end = Lsn(cursor.u64("an end position")?);
                let clock = clock(&mut cursor)?;
                let data = frame.body.slice(cursor.offset()..);
                Ok(Event::XLogData {
                    start,
                    end,
                    clock,
                    data,
                })
            }
            b'k' => {
                let wal_end = Lsn(cursor.u64("an end position")?);
                let clock = clock(&mut cursor)?;
                let reply_requested = match cursor.u8("whether to reply")? {
                    0 => false,
                    1 => true,
                    _ => return Err(cursor.malformed("0 or 1 before here")),
                };
                cursor.end()?;
                Ok(Event::Keepalive {
                    wal_end,
                    clock,
                    reply_requested,
                })
            }
            _ => Err(cursor.malformed("w or k before here")),
        }
    }
}

fn clock(cursor: &mut Cursor<'_>) -> Result<PgTimestamp, Error> {
    Ok(PgTimestamp(cursor.i64("the server's clock")?))
}
