//! Statements sent one after the other without waiting for answers.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::error::Result;

type Pending<'p, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'p>>;

/// Answers under way, in the order of their statements. `tokio-postgres` sends a statement when its future is polled for
/// the first time, and its connection task hands out answers in the order in which they come: it stops at an answer that
/// nobody takes, so nothing else may be asked of the session until all of them were taken.
pub(crate) struct Pipeline<'p, T> {
    answers: VecDeque<Slot<'p, T>>,
}

enum Slot<'p, T> {
    Pending(Pending<'p, T>),
    Ready(Result<T>),
}

impl<'p, T> Pipeline<'p, T> {
    pub(crate) const fn new() -> Self {
        Pipeline {
            answers: VecDeque::new(),
        }
    }

    /// Sends a statement.
    pub(crate) async fn send(&mut self, statement: impl Future<Output = Result<T>> + Send + 'p) {
        let mut pending: Pending<'p, T> = Box::pin(statement);
        let slot = poll_fn(|context| {
            Poll::Ready(match pending.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        })
        .await;
        self.answers.push_back(match slot {
            Some(answer) => Slot::Ready(answer),
            None => Slot::Pending(pending),
        });
    }

    /// Waits for the next answer; `None` when all were given. The first error is the cause of those after it, which say
    /// only that the transaction has failed.
    pub(crate) async fn next(&mut self) -> Option<Result<T>> {
        Some(match self.answers.pop_front()? {
            Slot::Ready(answer) => answer,
            Slot::Pending(pending) => pending.await,
        })
    }
}
