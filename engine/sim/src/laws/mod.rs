//! The laws, one file each. They know everything: every log of every node, from the first record to the last.

mod causal_order;
mod convergence;
mod exactly_once;
mod keyless;
mod no_conflict;
mod no_echo;
mod no_local_value_vanishes;
mod no_orphan_is_silent;
mod no_unread_value_is_replaced;
mod stamps;
mod truth;
mod what_is_told_stays;

pub(crate) use truth::Truth;
pub(crate) use what_is_told_stays::check as what_is_told_stays;

use crate::violation::Law;
use crate::world::World;

/// A law's check: what is wrong, if something is.
type Check = fn(&World, &Truth) -> Result<(), String>;

/// Checked in this order: what is more basic first.
const LAWS: [(Law, Check); 9] = [
    (Law::NoEcho, no_echo::check),
    (Law::AStampNeverChanges, stamps::check),
    (Law::ExactlyOnce, exactly_once::check),
    (Law::CausalOrder, causal_order::check),
    (Law::NoLocalValueVanishes, no_local_value_vanishes::check),
    (Law::AKeylessChangeTakesOneRow, keyless::check),
    (Law::Convergence, convergence::check),
    (Law::NoOrphanIsSilent, no_orphan_is_silent::check),
    (Law::AnUpdateThatSawTheOtherIsNoConflict, no_conflict::check),
];

/// Checks what can be checked when all is quiet.
pub(crate) fn check(world: &mut World) {
    let truth = match Truth::new(world) {
        Ok(truth) => truth,
        Err(what) => return world.violate(Law::AStampNeverChanges, what),
    };
    for (law, check) in LAWS {
        if let Err(what) = check(world, &truth) {
            return world.violate(law, what);
        }
    }
}

/// Checks what is checked while a server runs.
pub(crate) fn check_server(world: &mut World, node: usize) {
    if let Err(what) = no_unread_value_is_replaced::check(world, node) {
        world.violate(Law::NoUnreadValueIsReplaced, what);
    }
}

/// The end of a node's last local transaction.
pub(crate) fn last_local(world: &World, node: usize) -> synapse_wal_types::Lsn {
    let mut commits = world.nodes[node].server.wal.commits().iter();
    let local = |commit: &&crate::postgres::Commit| commit.first_message().is_none() && commit.publishes();
    commits
        .rfind(local)
        .map_or(synapse_wal_types::Lsn::ZERO, |commit| commit.end)
}
