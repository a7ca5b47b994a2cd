use std::sync::Arc;

use synapse_wal_types::{Lsn, PgTimestamp, TimelineId};
use tokio::sync::Notify;

use super::feedback::now;
use super::{Event, Feedback, Reply, StreamReader, StreamWriter};
use crate::connection::{Collector, Connection, Facts, ResultSet, Step};
use crate::error::Error;

/// Where WAL goes on after the end of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextTimeline {
    /// The next timeline.
    pub timeline: TimelineId,
    /// Where it starts.
    pub start: Lsn,
}

impl NextTimeline {
    /// Reads the result set that follows a physical stream on a timeline that is not the server's latest.
    pub(crate) fn read(results: Vec<ResultSet>) -> Result<Option<Self>, Error> {
        let wrong = || Error::Result {
            command: "START_REPLICATION",
            expected: "the next timeline and its start",
        };
        let Some(set) = results.into_iter().next() else {
            return Ok(None);
        };
        let row = set.into_text()?.pop().ok_or_else(wrong)?;
        let [Some(timeline), Some(start)] = <[_; 2]>::try_from(row).map_err(|_| wrong())? else {
            return Err(wrong());
        };
        let timeline = TimelineId(timeline.parse().map_err(|_| wrong())?);
        Ok(Some(NextTimeline {
            timeline,
            start: start.parse().map_err(|_| wrong())?,
        }))
    }
}

/// A running replication stream, logical or physical. Kept whole it answers keepalives by itself; [`Stream::split`]
/// makes two halves for two tasks.
#[derive(Debug)]
pub struct Stream {
    reader: StreamReader,
    writer: StreamWriter,
    facts: Facts,
    /// A keepalive whose reply may not have left yet.
    held: Option<Event>,
}

impl Stream {
    pub(crate) fn new(connection: Connection, feedback: Feedback) -> Self {
        let Connection {
            frames, outbox, facts, ..
        } = connection;
        let asked = Arc::new(Notify::new());
        let reader = StreamReader::new(frames, Arc::clone(&asked));
        Stream {
            reader,
            writer: StreamWriter::new(outbox, asked, feedback),
            facts,
            held: None,
        }
    }

    /// The next event; `None` after the end. Cancel-safe. Requested replies have left, with the last feedback, before
    /// their keepalive is returned.
    ///
    /// # Errors
    /// As [`StreamReader::next`] and [`StreamWriter::reply`].
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        if self.held.is_none() {
            let event = self.reader.next().await?;
            let Some(Event::Keepalive {
                reply_requested: true, ..
            }) = event
            else {
                return Ok(event);
            };
            self.writer.queue(self.writer.last(), now(), Reply::NotNeeded)?;
            self.held = event;
        }
        self.writer.outbox.flush("answer a keepalive").await?;
        Ok(self.held.take())
    }

    /// Reports positions: [`StreamWriter::status`].
    ///
    /// # Errors
    /// As [`StreamWriter::status`].
    pub async fn status(&mut self, feedback: Feedback, clock: PgTimestamp, reply: Reply) -> Result<(), Error> {
        self.writer.status(feedback, clock, reply).await
    }

    /// The server process of this stream.
    #[must_use]
    pub fn backend_pid(&self) -> i32 {
        self.facts.backend_pid
    }

    /// Two halves. From here on the writer's owner answers keepalives: [`StreamWriter::reply_wanted`].
    #[must_use]
    pub fn split(self) -> (StreamReader, StreamWriter) {
        if self.held.is_some() {
            self.reader.asked.notify_one();
        }
        (self.reader, self.writer)
    }

    /// Ends the stream in order and returns to command mode, with the next timeline if the stream's one has ended.
    /// Events on their way are dropped; what was not reported as flushed comes again next time.
    ///
    /// # Errors
    /// [`Error::Closed`] when the server shuts down, and as [`StreamReader::next`].
    pub async fn finish(mut self) -> Result<(Connection, Option<NextTimeline>), Error> {
        self.writer.done().await?;
        while self.reader.next().await?.is_some() {}
        let mut frames = self.reader.frames;
        let mut collector = Collector::default();
        loop {
            let frame = frames.next("end a stream").await?;
            // A logical walsender answers CopyDone where it reads it (`ProcessRepliesIfAny` in `walsender.c`), in the midst
            // of its loop, which may send a keepalive or a change before it notices.
            if frame.tag == b'd' {
                continue;
            }
            match collector.take(&frame)? {
                Step::More => {}
                Step::Failed(error) => return Err(Error::Server(Box::new(error))),
                Step::CopyBoth => return Err(frame.unexpected("end a stream")),
                Step::Ready => break,
            }
        }
        let next = NextTimeline::read(collector.finish())?;
        Ok((Connection::resume(frames, self.writer.outbox, self.facts), next))
    }
}
