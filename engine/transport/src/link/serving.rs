use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::calls::FAILURE_MAX;
use super::options::{ANSWER_WINDOW, MESSAGE_MAX, REQUESTS_MAX};
use super::shared::{Shared, check_size};
use crate::frame::{Flags, Frame, Kind, Pieces};
use crate::hello::clip;
use crate::{Error, Result};

/// The acceptor's open requests.
#[derive(Debug)]
pub(super) struct Serving {
    shared: Arc<Shared>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u32,
    streams: HashMap<u32, Arc<Call>>,
}

#[derive(Debug)]
struct Call {
    /// Frames that may still be sent.
    credit: Semaphore,
    /// The asker cancelled, or the link is over.
    unwanted: CancellationToken,
}

impl Call {
    fn give_up(&self) {
        self.unwanted.cancel();
        self.credit.close();
    }
}

impl Serving {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Serving {
            shared,
            open: Mutex::default(),
        })
    }

    /// A request has come.
    pub(super) fn requested(self: &Arc<Self>, stream: u32) -> Result<Responder> {
        let mut open = self.lock();
        if stream <= open.last {
            return Err(Error::Violation("a request with a used number"));
        }
        if open.streams.len() >= REQUESTS_MAX {
            return Err(Error::Violation("too many requests at once"));
        }
        open.last = stream;
        let credit = Semaphore::new(ANSWER_WINDOW as usize);
        let call = Arc::new(Call {
            credit,
            unwanted: CancellationToken::new(),
        });
        open.streams.insert(stream, Arc::clone(&call));
        drop(open);
        Ok(Responder {
            serving: Arc::clone(self),
            stream,
            call,
            state: State::Between,
        })
    }

    /// The asker took frames of an answer. Of one that is complete meanwhile: nothing to do.
    pub(super) fn returned(&self, stream: u32, frames: u64) -> Result<()> {
        if let Some(call) = self.lock().streams.get(&stream) {
            let room = (ANSWER_WINDOW as usize).saturating_sub(call.credit.available_permits());
            let frames = usize::try_from(frames).unwrap_or(usize::MAX);
            if frames > room {
                return Err(Error::Violation("more credit than was used"));
            }
            call.credit.add_permits(frames);
        }
        Ok(())
    }

    /// The asker does not want the rest.
    pub(super) fn cancelled(&self, stream: u32) {
        if let Some(call) = self.lock().streams.remove(&stream) {
            call.give_up();
        }
    }

    /// The link is over.
    pub(super) fn close(&self) {
        for (_, call) in self.lock().streams.drain() {
            call.give_up();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Whole messages have been queued.
    Between,
    /// A message is queued in part; if that was given up, so is the answer.
    Within,
    /// The end is queued.
    Ended,
}

/// Answers one request. Dropped before [`Responder::finish`], the asker hears that the answer was given up.
#[derive(Debug)]
pub struct Responder {
    serving: Arc<Serving>,
    stream: u32,
    call: Arc<Call>,
    state: State,
}

impl Responder {
    /// Sends one message of the answer, at most [`MESSAGE_MAX`] bytes. Waits while the asker does not take what was sent.
    /// If it is cancelled half-way the answer can only be given up, and every further call says so.
    ///
    /// # Errors
    /// [`Error::RequestFailed`] when the asker cancelled, or an earlier call was cancelled half-way; [`Error::TooLarge`];
    /// [`Error::Lost`] or [`Error::Closed`] when the link is over.
    pub async fn send(&mut self, message: Bytes) -> Result<()> {
        check_size("answer", message.len(), MESSAGE_MAX)?;
        if self.state != State::Between {
            return Err(Error::RequestFailed(
                "an earlier message was given up half-way".to_owned(),
            ));
        }
        self.state = State::Within;
        for (flags, payload) in Pieces::of(message) {
            let shared = &self.serving.shared;
            let room = shared
                .unless_ended(self.call.credit.acquire())
                .await?
                .map_err(|_| self.cancelled())?;
            let place = shared
                .unless_ended(shared.answers.reserve())
                .await?
                .map_err(|_| shared.error())?;
            if self.call.unwanted.is_cancelled() {
                return Err(self.cancelled());
            }
            room.forget();
            place.send(Frame {
                kind: Kind::Response,
                flags,
                stream: self.stream,
                payload,
            });
        }
        self.state = State::Between;
        Ok(())
    }

    /// Resolves when the asker has cancelled, or the link is over: the work for the answer can stop.
    pub async fn unwanted(&self) {
        self.call.unwanted.cancelled().await;
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// Those of [`Responder::send`], except for size.
    pub async fn finish(self) -> Result<()> {
        if self.state != State::Between {
            return Err(Error::RequestFailed(
                "an earlier message was given up half-way".to_owned(),
            ));
        }
        self.end(Flags::NONE, Bytes::new()).await
    }

    /// Ends the answer with a failure that the asker is told, at most 1 KiB of it.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::Closed`] when the link is over.
    pub async fn fail(self, text: &str) -> Result<()> {
        self.end(Flags::FAILED, Bytes::from(clip(text, FAILURE_MAX).into_bytes()))
            .await
    }

    async fn end(mut self, flags: Flags, payload: Bytes) -> Result<()> {
        let shared = Arc::clone(&self.serving.shared);
        let place = shared
            .unless_ended(shared.answers.reserve())
            .await?
            .map_err(|_| shared.error())?;
        self.state = State::Ended;
        // Forgotten before the asker can hear of the end and ask again.
        if self.serving.lock().streams.remove(&self.stream).is_some() {
            place.send(Frame {
                kind: Kind::ResponseEnd,
                flags,
                stream: self.stream,
                payload,
            });
        }
        Ok(())
    }

    fn cancelled(&self) -> Error {
        if self.serving.shared.ended.is_cancelled() {
            return self.serving.shared.error();
        }
        Error::RequestFailed("it was cancelled by the asker".to_owned())
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if self.state != State::Ended && self.serving.lock().streams.remove(&self.stream).is_some() {
            self.serving.shared.control.abandon(self.stream);
        }
    }
}
