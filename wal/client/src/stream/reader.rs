use std::sync::Arc;

use tokio::sync::Notify;

use super::Event;
use crate::connection::note;
use crate::error::Error;
use crate::server_error::ServerError;
use crate::socket::ReadHalf;
use crate::wire::FrameReader;

/// How a stream came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// `CopyDone`: a timeline ended, or we asked for the end.
    CopyDone,
    /// The server shuts down and has sent everything (`WalSndDone` in `walsender.c`).
    Shutdown,
}

/// The half that reads.
#[derive(Debug)]
pub struct StreamReader {
    pub(super) frames: FrameReader<ReadHalf>,
    pub(super) asked: Arc<Notify>,
    ending: Option<Ending>,
}

impl StreamReader {
    pub(super) fn new(frames: FrameReader<ReadHalf>, asked: Arc<Notify>) -> Self {
        StreamReader {
            frames,
            asked,
            ending: None,
        }
    }

    /// The next event; `None` after the end. Cancel-safe. A keepalive that requests a reply wakes
    /// [`super::StreamWriter::reply_wanted`] before it is returned.
    ///
    /// # Errors
    /// [`Error::Server`] for what the server reports inside the stream (a missing publication before 18, an administrator's
    /// command), [`Error::Closed`] and [`Error::Io`] when the connection is lost.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        while self.ending.is_none() {
            let frame = self.frames.next("stream").await?;
            match frame.tag {
                b'd' => {
                    let event = Event::read(&frame)?;
                    if let Event::Keepalive {
                        reply_requested: true, ..
                    } = event
                    {
                        self.asked.notify_one();
                    }
                    return Ok(Some(event));
                }
                b'c' => self.ending = Some(Ending::CopyDone),
                b'C' => self.ending = Some(Ending::Shutdown),
                b'E' => return Err(Error::Server(Box::new(ServerError::read(&mut frame.cursor())?))),
                b'N' => note(&frame)?,
                b'S' => {}
                _ => return Err(frame.unexpected("stream")),
            }
        }
        Ok(None)
    }

    /// How the stream ended, once [`StreamReader::next`] has returned `None`.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }
}
