//! Lag, sampled while a load runs: tokens are committed on schedule, whether or not the earlier ones have arrived.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::token::{Reader, Token, Writer};

/// Between two tokens.
const WRITE_EVERY: Duration = Duration::from_millis(50);
/// Between two looks: the error of a sample.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long the last tokens may take after the load has ended.
const DRAIN_MAX: Duration = Duration::from_secs(300);

/// One token's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lag {
    /// When it was committed, from the start of the load.
    pub(crate) at: Duration,
    /// How long it took from then to be visible.
    pub(crate) lag: Duration,
}

/// Tokens that are committed and not yet seen.
type Underway = Mutex<VecDeque<(Token, Instant)>>;

/// Runs `load` and samples the lag from one node to another until it ends; then waits for the last token.
pub(crate) async fn during<T>(
    from: &Writer,
    to: &Reader,
    load: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<(T, Vec<Lag>)> {
    let started = Instant::now();
    let underway = Underway::default();
    let (done, over) = tokio::sync::watch::channel(false);
    let load = async {
        let outcome = load.await;
        done.send_replace(true);
        outcome
    };
    let write = async {
        let mut ticks = interval(WRITE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !*over.borrow() {
            ticks.tick().await;
            let token = from.write().await?;
            let committed = Instant::now();
            underway
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_back((token, committed));
        }
        Ok(())
    };
    let look = async {
        let mut lags = Vec::new();
        let mut ended: Option<Instant> = None;
        loop {
            let over = *over.borrow();
            take_seen(&underway, to.newest().await?, started, &mut lags);
            if over {
                // The writer sees the end at its next tick: one more token may follow.
                let since = ended.get_or_insert_with(Instant::now).elapsed();
                let drained = underway.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
                if drained && since > 2 * WRITE_EVERY {
                    return Ok(lags);
                }
                anyhow::ensure!(
                    since < DRAIN_MAX,
                    "the lag was not gone {} s after the load",
                    DRAIN_MAX.as_secs()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let (outcome, (), lags) = tokio::try_join!(load, write, look)?;
    Ok((outcome, lags))
}

/// Moves what is visible from `underway` to `lags`.
fn take_seen(underway: &Underway, newest: Option<Token>, started: Instant, lags: &mut Vec<Lag>) {
    let now = Instant::now();
    let mut underway = underway.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some((_, committed)) = underway.pop_front_if(|(token, _)| Some(*token) <= newest) {
        lags.push(Lag {
            at: committed - started,
            lag: now - committed,
        });
    }
}
