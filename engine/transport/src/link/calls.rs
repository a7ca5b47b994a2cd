use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::options::{ANSWER_WINDOW, MESSAGE_MAX, REQUESTS_MAX};
use super::shared::{Shared, check_size};
use crate::frame::{Assembly, Flags, Frame, Kind, PAYLOAD_MAX};
use crate::hello::clip;
use crate::{Error, Result};

/// Longest text of a failed answer that is kept, bytes.
pub(super) const FAILURE_MAX: usize = 1024;

/// What comes for a request.
#[derive(Debug)]
enum Part {
    Piece(Flags, Bytes),
    End,
    Failed(String),
}

/// The dialer's open requests.
#[derive(Debug)]
pub(super) struct Calls {
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u32,
    streams: HashMap<u32, mpsc::Sender<Part>>,
}

impl Calls {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Calls {
            shared,
            slots: Arc::new(Semaphore::new(REQUESTS_MAX)),
            open: Mutex::default(),
        })
    }

    /// Sends a request as soon as fewer than [`REQUESTS_MAX`] are open. Cancel-safe.
    pub(super) async fn request(self: &Arc<Self>, payload: Bytes) -> Result<ResponseStream> {
        check_size("request", payload.len(), PAYLOAD_MAX)?;
        let slot = self
            .shared
            .unless_ended(Arc::clone(&self.slots).acquire_owned())
            .await?;
        let slot = slot.map_err(|_| self.shared.error())?;
        let place = self
            .shared
            .unless_ended(self.shared.prompt.reserve())
            .await?
            .map_err(|_| self.shared.error())?;
        // One more than the window, for the end.
        let (sender, parts) = mpsc::channel(ANSWER_WINDOW as usize + 1);
        let mut open = self.lock();
        let stream = open.last.checked_add(1).ok_or(Error::Closed)?;
        open.last = stream;
        open.streams.insert(stream, sender);
        // Within the lock, so that requests go out in the order of their numbers.
        place.send(Frame {
            kind: Kind::Request,
            flags: Flags::NONE,
            stream,
            payload,
        });
        drop(open);
        Ok(ResponseStream {
            calls: Arc::clone(self),
            stream,
            parts,
            message: Assembly::Idle,
            slot: Some(slot),
        })
    }

    /// Takes a frame of an answer. Those of answers that nobody wants any more are dropped.
    pub(super) fn answered(&self, frame: Frame) -> Result<()> {
        let mut open = self.lock();
        if frame.stream > open.last {
            return Err(Error::Violation("an answer to no request"));
        }
        let ends = frame.kind == Kind::ResponseEnd;
        let part = if !ends {
            Part::Piece(frame.flags, frame.payload)
        } else if frame.flags.has(Flags::FAILED) {
            Part::Failed(clip(&String::from_utf8_lossy(&frame.payload), FAILURE_MAX))
        } else {
            Part::End
        };
        let Some(sender) = open.streams.get(&frame.stream) else {
            return Ok(());
        };
        // One place stays for the end: a piece that would take it was sent without credit.
        if !ends && sender.capacity() <= 1 {
            return Err(Error::Violation("more of an answer than its window"));
        }
        let sent = sender.try_send(part);
        if ends || matches!(sent, Err(mpsc::error::TrySendError::Closed(_))) {
            open.streams.remove(&frame.stream);
        }
        Ok(())
    }

    /// The link is over: every reader of an answer hears it.
    pub(super) fn close(&self) {
        self.slots.close();
        self.lock().streams.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to one request: messages in order, then the end. Dropping it before the end cancels the request.
#[derive(Debug)]
pub struct ResponseStream {
    calls: Arc<Calls>,
    stream: u32,
    parts: mpsc::Receiver<Part>,
    message: Assembly,
    /// Held until the answer is complete.
    slot: Option<OwnedSemaphorePermit>,
}

impl ResponseStream {
    /// The next message, or `None` when the answer is complete. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::RequestFailed`] when the peer gave up; the link lives on. [`Error::Lost`] or [`Error::Closed`] when the
    /// link is over.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.slot.is_some() {
            match self.parts.recv().await {
                Some(Part::Piece(flags, piece)) => {
                    self.calls.shared.control.answer_credit(self.stream);
                    match self.message.push(flags, piece, MESSAGE_MAX) {
                        Ok(Some(message)) => return Ok(Some(message)),
                        Ok(None) => {}
                        Err(what) => {
                            self.calls.shared.end(Error::Violation(what));
                            return Err(self.calls.shared.error());
                        }
                    }
                }
                Some(Part::End) => self.slot = None,
                Some(Part::Failed(text)) => {
                    self.slot = None;
                    return Err(Error::RequestFailed(text));
                }
                None => {
                    self.slot = None;
                    return Err(self.calls.shared.error());
                }
            }
        }
        Ok(None)
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        if self.slot.is_some() && self.calls.lock().streams.remove(&self.stream).is_some() {
            // Before the slot is free, so that the peer never counts one request too many.
            self.calls.shared.control.cancel(self.stream);
        }
    }
}
