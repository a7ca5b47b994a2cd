//! Before a node's first transaction: what it begins with, and how it is filled.

mod decide;
mod empty;
mod life;
mod progress;
mod replace;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use synapse_engine_identity::NodeId;

use crate::answer::ask_one;
use crate::error::{Class, Error};
use crate::frames::{Answer, Request};
use crate::generation::refresh;
use crate::shared::{Phase, Shared};
use crate::state::{Copies, Join};
use crate::{copy, sql};

pub(crate) use decide::Standing;
pub(crate) use empty::{count_rows, exclusions, is_empty};
pub(crate) use life::{Joining, Known};
pub(crate) use progress::Progress;
pub(crate) use replace::{clear, replace};
pub(crate) use settle::settle;

use decide::{Decision, decide};

/// Between two rounds of questions to peers.
const ROUND: Duration = Duration::from_millis(200);
/// First and longest pause before what failed is tried again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Returns when this node's own stream may be captured and peers' be applied; tries again whatever fails.
///
/// # Errors
/// [`Error::Stopping`] when the daemon is stopped before.
pub(crate) async fn join(shared: &Arc<Shared>) -> Result<(), Error> {
    let mut pause = PAUSE.0;
    let mut said = String::new();
    loop {
        let attempt = tokio::select! {
            () = shared.shutdown.cancelled() => return Err(Error::Stopping),
            attempt = step(shared) => attempt,
        };
        let rest = match attempt {
            Ok(Step::Joined) => {
                shared.joining.follow();
                shared.joining.change(|progress| *progress = Progress::default());
                return Ok(());
            }
            Ok(Step::Again) => {
                pause = PAUSE.0;
                Duration::ZERO
            }
            Ok(Step::Waits(why)) => {
                if why != said {
                    tracing::info!("{why}");
                    said.clone_from(&why);
                }
                shared.phase.send_replace(Phase::Starting);
                shared.joining.change(|progress| progress.waits = Some(why));
                ROUND
            }
            Err(error) => {
                failed(shared, &error);
                pause = (pause * 2).min(PAUSE.1);
                pause
            }
        };
        tokio::select! {
            () = shared.shutdown.cancelled() => return Err(Error::Stopping),
            () = tokio::time::sleep(rest) => {}
        }
    }
}

enum Step {
    Joined,
    Again,
    Waits(String),
}

async fn step(shared: &Arc<Shared>) -> Result<Step, Error> {
    match shared.state().join {
        Join::Joined { .. } | Join::Passing(_) => Ok(Step::Joined),
        Join::Replacing { .. } => Err(Error::Refused("the rows that go were not taken away".to_owned())),
        Join::New { from, .. } => begin(shared, from).await,
        Join::Copying { from, .. } => {
            shared.phase.send_replace(Phase::Copying);
            copy::fill(shared, from).await?;
            Ok(Step::Again)
        }
    }
}

fn failed(shared: &Shared, error: &Error) {
    if error.class() == Class::Transient {
        tracing::warn!(%error, "cannot join yet; trying again");
        if matches!(&*shared.phase.borrow(), Phase::Stopped(_)) {
            shared.phase.send_replace(Phase::Starting);
        }
        shared
            .joining
            .change(|progress| progress.waits = Some(error.to_string()));
    } else {
        tracing::error!(%error, "this node does not join until a person mends it");
        shared.phase.send_replace(Phase::Stopped(error.to_string()));
    }
}

/// Asks every peer, decides, and takes the step.
async fn begin(shared: &Arc<Shared>, wanted: Option<NodeId>) -> Result<Step, Error> {
    let empty = look(shared).await?;
    if let Some(why) = unanswered(shared) {
        return Ok(Step::Waits(why));
    }
    let names: Vec<NodeId> = shared.peers().keys().copied().collect();
    let mut others = Vec::new();
    for node in names {
        let Answer::Standing(standing) = ask_one(shared, node, Request::Standing).await? else {
            return Err(Error::Refused(format!("{node} answered something else than was asked")));
        };
        let Some(standing) = standing else {
            return Ok(Step::Waits(format!(
                "waits for {node}, which is still connecting to its server"
            )));
        };
        others.push((node, standing));
    }
    match decide(shared.me.node, empty, shared.config.members(), &others, wanted) {
        Decision::Wait { why } => Ok(Step::Waits(why)),
        Decision::Begin { whole } => {
            let whole_for = whole.then(|| shared.config.members());
            // A run that was cut off may have left it.
            synapse_engine_setup::lower_fence(&mut sql::connect(shared, "join").await?).await?;
            tracing::info!(whole, "joined with what is here");
            shared.change_state(|state| state.join = Join::Joined { whole_for })?;
            Ok(Step::Again)
        }
        Decision::Copy { from } => {
            fence(shared, from).await?;
            Ok(Step::Again)
        }
        Decision::Refuse { other } => Err(both_hold(shared.me.node, other)),
    }
}

fn both_hold(me: NodeId, other: NodeId) -> Error {
    Error::Refused(format!(
        "{me} holds rows, and so does {other}, and nobody can say which are right; hint: to replace the rows of {me} by those of {other}: synapsectl node join --from {other} --replace-local --confirm"
    ))
}

/// Which configured peer has not answered.
fn unanswered(shared: &Shared) -> Option<String> {
    let peers = shared.peers();
    let linked = |address: &str| {
        peers
            .values()
            .any(|p| p.link.is_some() && p.address.as_deref() == Some(address))
    };
    let missing: Vec<String> = shared
        .config
        .cluster
        .join
        .iter()
        .filter(|address| !linked(address))
        .map(|address| {
            let known = peers.iter().find(|(_, peer)| peer.address.as_ref() == Some(address));
            known.map_or_else(|| address.clone(), |(node, _)| format!("{node} ({address})"))
        })
        .collect();
    (!missing.is_empty()).then(|| format!("waits for {} to answer before it joins", missing.join(", ")))
}

/// Whether this node's stream began empty: once it did, all that came since is in the stream.
async fn look(shared: &Arc<Shared>) -> Result<bool, Error> {
    let Join::New { born_empty, .. } = shared.state().join else {
        return Ok(false);
    };
    let empty = if born_empty {
        true
    } else {
        let mut client = sql::connect(shared, "join").await?;
        refresh(shared, &mut client).await?;
        let empty = is_empty(shared, &client).await?;
        if empty {
            shared.change_state(|state| {
                if let Join::New { born_empty, .. } = &mut state.join {
                    *born_empty = true;
                }
            })?;
        }
        empty
    };
    shared.joining.looked();
    Ok(empty)
}

/// From here on this node takes no rows but those of the copy.
async fn fence(shared: &Arc<Shared>, from: NodeId) -> Result<(), Error> {
    let mut client = sql::connect(shared, "join").await?;
    synapse_engine_setup::raise_fence(&mut client, &exclusions(shared)).await?;
    refresh(shared, &mut client).await?;
    // What came since the stream began would stand beside the copy.
    if !is_empty(shared, &client).await? {
        synapse_engine_setup::lower_fence(&mut client).await?;
        return Err(both_hold(shared.me.node, from));
    }
    tracing::info!(%from, "this node is empty: it is copied");
    shared.change_state(|state| {
        state.slot_created = false;
        state.join = Join::Copying {
            from,
            begins: None,
            copies: Copies::default(),
        };
    })?;
    // Its stream begins when it is full; until then its server keeps no WAL for it.
    synapse_engine_setup::drop_slot(&client, &shared.slot).await?;
    Ok(())
}

/// What this node says of itself to one that joins; `None` before it has looked.
pub(crate) fn standing(shared: &Shared) -> Result<Option<Standing>, Error> {
    Ok(match shared.state().join {
        Join::New { born_empty, .. } => shared
            .joining
            .has_looked()
            .then_some(Standing::New { empty: born_empty }),
        Join::Replacing { .. } => None,
        Join::Copying { .. } | Join::Passing(_) => Some(Standing::Copying),
        Join::Joined { whole_for } => {
            let whole = shared.own_log()?.begin() <= shared.state().start;
            let whole_for = whole_for
                .filter(|_| whole)
                .and_then(|members| u32::try_from(members).ok());
            Some(Standing::Joined { whole_for })
        }
    })
}
