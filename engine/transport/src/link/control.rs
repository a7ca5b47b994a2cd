use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::frame::{Flags, Frame, Kind};

/// What a link owes the peer besides its queues: small things that add up instead of queueing, so that whoever owes
/// them never waits. At most a handful of frames, whatever the load.
#[derive(Debug, Default)]
pub(super) struct Control {
    owed: Mutex<Owed>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Owed {
    pong: Option<u64>,
    block_credit: u64,
    answer_credit: BTreeMap<u32, u64>,
    cancels: Vec<u32>,
    abandoned: Vec<u32>,
}

impl Control {
    /// Answers a ping; only the newest unanswered one is answered.
    pub(super) fn pong(&self, number: u64) {
        self.change(|owed| owed.pong = Some(number));
    }

    /// Returns credit for blocks, bytes.
    pub(super) fn block_credit(&self, bytes: u64) {
        self.change(|owed| owed.block_credit += bytes);
    }

    /// Returns credit for one frame of an answer.
    pub(super) fn answer_credit(&self, stream: u32) {
        self.change(|owed| *owed.answer_credit.entry(stream).or_default() += 1);
    }

    /// Gives up the rest of an answer.
    pub(super) fn cancel(&self, stream: u32) {
        self.change(|owed| {
            owed.answer_credit.remove(&stream);
            owed.cancels.push(stream);
        });
    }

    /// Tells the asker that nobody answers any more.
    pub(super) fn abandon(&self, stream: u32) {
        self.change(|owed| owed.abandoned.push(stream));
    }

    /// Resolves when something is owed.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Everything that is owed, as frames.
    pub(super) fn take(&self) -> Vec<Frame> {
        let owed = std::mem::take(&mut *self.owed.lock().unwrap_or_else(PoisonError::into_inner));
        let mut frames = Vec::new();
        frames.extend(owed.pong.map(|n| Frame::number(Kind::Pong, 0, n)));
        if owed.block_credit > 0 {
            frames.push(Frame::number(Kind::Credit, 0, owed.block_credit));
        }
        frames.extend(
            owed.answer_credit
                .into_iter()
                .map(|(stream, n)| Frame::number(Kind::Credit, stream, n)),
        );
        frames.extend(owed.cancels.into_iter().map(|stream| Frame {
            kind: Kind::Cancel,
            flags: Flags::NONE,
            stream,
            payload: Bytes::new(),
        }));
        frames.extend(owed.abandoned.into_iter().map(|stream| Frame {
            kind: Kind::ResponseEnd,
            flags: Flags::FAILED,
            stream,
            payload: Bytes::from_static(b"the answer was given up"),
        }));
        frames
    }

    fn change(&self, apply: impl FnOnce(&mut Owed)) {
        apply(&mut self.owed.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }
}
