use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, BytesMut};
use postgres_protocol::message::frontend::CopyData;
use synapse_wal_types::{Lsn, PgTimestamp};

use crate::error::Error;

/// What the client reports of the stream. The three are independent of one another: `remote_write`, `on` and
/// `remote_apply` wait for one each, and `flush` alone moves the slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// What `synchronous_commit = remote_write` waits for.
    pub write: Lsn,
    /// What `synchronous_commit = on` waits for; a logical slot's `confirmed_flush_lsn`. The server never sends again
    /// what lies below. Zero reports nothing.
    pub flush: Lsn,
    /// What `synchronous_commit = remote_apply` waits for.
    pub apply: Lsn,
}

impl Feedback {
    /// All three at one position.
    #[must_use]
    pub const fn all(position: Lsn) -> Self {
        Feedback {
            write: position,
            flush: position,
            apply: position,
        }
    }

    /// The law of reports: none goes back behind an `earlier` one.
    ///
    /// # Errors
    /// [`Error::FeedbackWentBack`], with the first position that does.
    pub fn check(&self, earlier: &Feedback) -> Result<(), Error> {
        let steps = [
            ("write", earlier.write, self.write),
            ("flush", earlier.flush, self.flush),
            ("apply", earlier.apply, self.apply),
        ];
        match steps.into_iter().find(|(_, from, to)| to < from) {
            Some((position, from, to)) => Err(Error::FeedbackWentBack { position, from, to }),
            None => Ok(()),
        }
    }
}

/// Whether the server shall answer a status with a keepalive at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It need not.
    NotNeeded,
    /// It shall: a way to find out whether it is still there.
    Wanted,
}

/// Writes a `Standby status update` (`r`).
pub(super) fn encode(feedback: &Feedback, clock: PgTimestamp, reply: Reply, out: &mut BytesMut) -> std::io::Result<()> {
    let mut status = BytesMut::with_capacity(34);
    status.put_u8(b'r');
    status.put_u64(feedback.write.0);
    status.put_u64(feedback.flush.0);
    status.put_u64(feedback.apply.0);
    status.put_i64(clock.0);
    status.put_u8(match reply {
        Reply::NotNeeded => 0,
        Reply::Wanted => 1,
    });
    CopyData::new(status)?.write(out);
    Ok(())
}

/// This machine's clock, for replies that the stream sends by itself. The server only shows it, as `reply_time`.
pub(super) fn now() -> PgTimestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    PgTimestamp::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
