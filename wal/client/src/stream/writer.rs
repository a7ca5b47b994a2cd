use std::sync::Arc;

use postgres_protocol::message::frontend;
use synapse_wal_types::PgTimestamp;
use tokio::sync::Notify;

use super::feedback::encode;
use super::{Feedback, Reply};
use crate::error::Error;
use crate::socket::WriteHalf;
use crate::wire::Outbox;

/// Statuses that wait for a socket that takes none. One is 39 bytes; beyond this a status waits for the socket first,
/// so that a server that reads nothing costs no memory.
const PENDING_BYTES_MAX: usize = 4 * 1024;

const REPORT: &str = "report a position";

/// The half that reports.
///
/// Its owner sends a status when a position moves, when [`StreamWriter::reply_wanted`] says so, and every few seconds
/// in any case (a third of `wal_sender_timeout`): a reader that rests sees no request, and the server's patience ends.
#[derive(Debug)]
pub struct StreamWriter {
    pub(super) outbox: Outbox<WriteHalf>,
    asked: Arc<Notify>,
    last: Feedback,
}

impl StreamWriter {
    pub(super) fn new(outbox: Outbox<WriteHalf>, asked: Arc<Notify>, last: Feedback) -> Self {
        StreamWriter { outbox, asked, last }
    }

    /// Reports positions. Cancel-safe: a status that did not leave whole leaves with the next one.
    ///
    /// # Errors
    /// [`Error::FeedbackWentBack`], with nothing sent; [`Error::Io`] and [`Error::Closed`] when the connection is lost.
    pub async fn status(&mut self, feedback: Feedback, clock: PgTimestamp, reply: Reply) -> Result<(), Error> {
        feedback.check(&self.last)?;
        if self.outbox.pending_bytes() > PENDING_BYTES_MAX {
            self.outbox.flush(REPORT).await?;
        }
        self.queue(feedback, clock, reply)?;
        self.outbox.flush(REPORT).await
    }

    /// Reports the last positions again: the answer to a keepalive that requests one. Cancel-safe.
    ///
    /// # Errors
    /// As [`StreamWriter::status`].
    pub async fn reply(&mut self, clock: PgTimestamp) -> Result<(), Error> {
        self.status(self.last, clock, Reply::NotNeeded).await
    }

    /// Waits until the reader has met a keepalive that requests a reply. Requests that nobody waited for count as one.
    /// Cancel-safe. It never returns once the reader is gone.
    pub async fn reply_wanted(&self) {
        self.asked.notified().await;
    }

    /// The positions reported last.
    #[must_use]
    pub fn last(&self) -> Feedback {
        self.last
    }

    pub(super) fn queue(&mut self, feedback: Feedback, clock: PgTimestamp, reply: Reply) -> Result<(), Error> {
        self.outbox.push(|out| encode(&feedback, clock, reply, out))?;
        self.last = feedback;
        Ok(())
    }

    /// Sends `CopyDone`: we want no more.
    pub(super) async fn done(&mut self) -> Result<(), Error> {
        self.outbox.push(|out| {
            frontend::copy_done(out);
            Ok(())
        })?;
        self.outbox.flush("end a stream").await
    }
}
