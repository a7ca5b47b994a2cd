use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control::Control;
use super::options::{ANSWERS_MAX, ORDERED_MAX, Options, PROMPT_MAX};
use crate::frame::{Frame, Kind};
use crate::hello::Refusal;
use crate::{Error, Result};

/// What must keep its place in the stream from the sender.
#[derive(Debug)]
pub(super) enum Ordered {
    Block(Bytes),
    Heartbeat(Bytes),
}

/// The ends of the queues that the writing task takes from.
pub(super) struct Queues {
    pub(super) prompt: mpsc::Receiver<Frame>,
    pub(super) ordered: mpsc::Receiver<Ordered>,
    pub(super) answers: mpsc::Receiver<Frame>,
}

/// What the two tasks of a link and all its handles have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) control: Control,
    /// An orderly end is wanted.
    pub(super) stop: CancellationToken,
    /// The link is over.
    pub(super) ended: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) prompt: mpsc::Sender<Frame>,
    pub(super) ordered: mpsc::Sender<Ordered>,
    pub(super) answers: mpsc::Sender<Frame>,
    last_words: OnceLock<Refusal>,
    cause: OnceLock<Arc<Error>>,
    began: Instant,
    round_trip_micros: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl Shared {
    pub(super) fn new(options: Options, shutdown: &CancellationToken) -> (Arc<Self>, Queues) {
        let (prompt, prompt_end) = mpsc::channel(PROMPT_MAX);
        let (ordered, ordered_end) = mpsc::channel(ORDERED_MAX);
        let (answers, answers_end) = mpsc::channel(ANSWERS_MAX);
        let shared = Shared {
            options,
            control: Control::default(),
            stop: shutdown.child_token(),
            ended: CancellationToken::new(),
            tasks: TaskTracker::new(),
            prompt,
            ordered,
            answers,
            last_words: OnceLock::new(),
            cause: OnceLock::new(),
            began: Instant::now(),
            round_trip_micros: AtomicU64::new(UNKNOWN),
        };
        (
            Arc::new(shared),
            Queues {
                prompt: prompt_end,
                ordered: ordered_end,
                answers: answers_end,
            },
        )
    }

    /// The link is over; the first cause is the one that everybody hears of. Once we wanted to leave, whatever follows is
    /// part of leaving.
    pub(super) fn end(&self, cause: Error) {
        let cause = match self.last_words.get() {
            _ if !self.stop.is_cancelled() => cause,
            Some(refusal) => Error::Refused(refusal.clone()),
            None => Error::Closed,
        };
        if let Err(later) = self.cause.set(Arc::new(cause)) {
            tracing::trace!(error = %later, "a link that is over fails again");
        }
        self.ended.cancel();
    }

    /// Why nothing goes any more.
    pub(super) fn error(&self) -> Error {
        match self.cause.get().map(|cause| (cause, cause.as_ref())) {
            None | Some((_, Error::Closed)) => Error::Closed,
            Some((cause, _)) => Error::Lost(Arc::clone(cause)),
        }
    }

    /// An orderly end that tells the peer it is not wanted. The first reason counts.
    pub(super) fn refuse(&self, refusal: Refusal) {
        if self.last_words.set(refusal).is_ok() {
            self.stop.cancel();
        }
    }

    /// The last frame that the peer gets.
    pub(super) fn last_frame(&self) -> Frame {
        match self.last_words.get() {
            Some(refusal) => Frame::plain(Kind::Error, refusal.encode()),
            None => Frame::plain(Kind::Goodbye, Bytes::new()),
        }
    }

    /// Waits for the future, but not beyond the end of the link.
    pub(super) async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.ended.cancelled() => Err(self.error()),
            () = self.stop.cancelled() => Err(Error::Closed),
            done = work => Ok(done),
        }
    }

    /// Queues a frame that overtakes blocks. Cancel-safe.
    pub(super) async fn send_prompt(&self, frame: Frame) -> Result<()> {
        let place = self
            .unless_ended(self.prompt.reserve())
            .await?
            .map_err(|_| self.error())?;
        place.send(frame);
        Ok(())
    }

    /// Queues a heartbeat behind the blocks that were queued before it. Cancel-safe.
    pub(super) async fn send_heartbeat(&self, payload: Bytes) -> Result<()> {
        check_size("heartbeat", payload.len(), crate::frame::SMALL_MAX)?;
        let place = self
            .unless_ended(self.ordered.reserve())
            .await?
            .map_err(|_| self.error())?;
        place.send(Ordered::Heartbeat(payload));
        Ok(())
    }

    /// Queues an acknowledgement. Cancel-safe.
    pub(super) async fn send_ack(&self, payload: Bytes) -> Result<()> {
        check_size("acknowledgement", payload.len(), crate::frame::SMALL_MAX)?;
        self.send_prompt(Frame::plain(Kind::Ack, payload)).await
    }

    /// The payload of a ping: our own clock, microseconds of this link.
    pub(super) fn ping_now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(UNKNOWN)
    }

    /// Our ping came back.
    pub(super) fn pong_came(&self, sent: u64) {
        self.round_trip_micros
            .store(self.ping_now().saturating_sub(sent), Ordering::Relaxed);
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        let micros = self.round_trip_micros.load(Ordering::Relaxed);
        (micros != UNKNOWN).then(|| Duration::from_micros(micros))
    }
}

/// Refuses a payload above its limit before anything is queued.
pub(super) fn check_size(what: &'static str, bytes: usize, limit: usize) -> Result<()> {
    if bytes > limit {
        Err(Error::TooLarge { what, bytes, limit })
    } else {
        Ok(())
    }
}

/// Held by the halves of a link that the application has: when the last one goes, the link says goodbye.
#[derive(Debug)]
pub(super) struct Handle(pub(super) Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.stop.cancel();
    }
}
