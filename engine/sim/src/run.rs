//! A run: a seed from its first event to quiet.

use synapse_wal_types::Lsn;

use crate::laws;
use crate::options::{Options, Report};
use crate::schedule::Micros;
use crate::violation::{Law, Violation};
use crate::world::{Event, World};

/// Applications and faults get this long; what is not written then is not written.
const UNREST_MAX: Micros = 4_000_000;

/// After the last fault everything has to arrive within this time: longer than the wildest clock is ahead.
const QUIET_WITHIN: Micros = 90_000_000;

/// A run that has so many events is caught in a circle.
const EVENTS_MAX: u64 = 5_000_000;

const LOOK_EVERY: Micros = 4_000;

/// Runs one seed to quiet and checks every law.
pub fn run(seed: u64, options: &Options) -> Result<Report, Violation> {
    let mut world = World::new(seed, options);
    begin(&mut world);
    let mut calm_since = None;
    let mut quiet = false;
    for _ in 0..EVENTS_MAX {
        let Some(event) = world.schedule.next() else { break };
        let look = matches!(event, Event::Look);
        world.handle(event);
        if let Some(violation) = world.broken {
            return Err(violation);
        }
        if !look {
            continue;
        }
        world.schedule.after(LOOK_EVERY, Event::Look);
        let now = world.now();
        match calm_since {
            None if now > UNREST_MAX || (world.applications_are_done() && world.faults_left == 0) => {
                world.calm_down();
                calm_since = Some(now);
            }
            None => {}
            Some(since) => {
                if !quiet && is_quiet(&world) {
                    quiet = true;
                    laws::check(&mut world);
                } else if quiet && is_stable(&world) {
                    return finish(world);
                } else if now > since + QUIET_WITHIN {
                    let law = if quiet {
                        Law::AnIdleClusterBecomesStable
                    } else {
                        Law::NothingWaitsForEver
                    };
                    world.violate(law, state(&world));
                }
            }
        }
    }
    let what = format!("the run has no end: {}", state(&world));
    world.violate(Law::NothingWaitsForEver, what);
    finish(world)
}

fn finish(mut world: World) -> Result<Report, Violation> {
    world.report.seeds = 1;
    world.broken.map_or(Ok(world.report), Err)
}

fn begin(world: &mut World) {
    for node in 0..world.nodes.len() {
        let apps = world.nodes[node].apps.len();
        for app in 0..apps {
            world.nodes[node].apps[app].remaining = world.options.transactions / apps as u64 + 1;
            let delay = world.rng.between(1, 20_000);
            world.schedule.after(delay, Event::App { node, app });
        }
        world.schedule.after(1, Event::EngineUp { node });
        world.schedule.after(5_000, Event::WalWriter { node });
    }
    let first = world.rng.between(1_000, 60_000);
    world.schedule.after(first, Event::Fault);
    world.schedule.after(LOOK_EVERY, Event::Look);
}

/// Everything is flushed, captured and applied everywhere, and nobody has anything in hand.
fn is_quiet(world: &World) -> bool {
    if !world.applications_are_done() {
        return false;
    }
    let ends: Vec<Lsn> = world.ends();
    let idle = |(at, n): (usize, &crate::node::Node)| {
        let Some(daemon) = n.daemon.as_ref() else { return false };
        let commits = n.server.wal.commits();
        world.idle(at)
            && n.server.wal.flushed() == ends[at]
            && commits.last().is_none_or(|commit| commit.end <= daemon.sent)
            && daemon.kernel.next_recheck().is_none()
            && !n.has_orphans_to_mend()
    };
    if !world.nodes.iter().enumerate().all(idle) {
        return false;
    }
    let lasts: Vec<(usize, Lsn)> = (0..world.nodes.len())
        .map(|at| (at, laws::last_local(world, at)))
        .collect();
    world.nodes.iter().enumerate().all(|(at, n)| {
        let Some(daemon) = n.daemon.as_ref() else { return false };
        let applied =
            |&(peer, last): &(usize, Lsn)| peer == at || daemon.kernel.frontier().get(world.nodes[peer].origin) >= last;
        lasts.iter().all(applied)
    })
}

fn is_stable(world: &World) -> bool {
    let forgotten = |n: &crate::node::Node| n.daemon.as_ref().is_some_and(|d| d.kernel.registers().is_empty());
    world.nodes.iter().all(forgotten)
}

/// Who stands where: for a person.
fn state(world: &World) -> String {
    let node = |(at, n): (usize, &crate::node::Node)| {
        let daemon = n.daemon.as_ref().map(|d| {
            let stable: Vec<_> =
                world.nodes.iter().map(|o| format!("{}@{}", o.origin, d.kernel.stable(o.origin))).collect();
            let ends: Vec<_> =
                world.nodes.iter().map(|o| format!("{}@{}", o.origin, n.disk.durable_end(o.origin))).collect();
            format!(
                "{:?}, frontier {}, journals {ends:?}, stable {stable:?}, {} registers, job {:?}, re-check {:?} of {:?}",
                d.phase,
                d.kernel.frontier(),
                d.kernel.registers().rows_in_memory(),
                d.job.as_ref().map(|job| (job.stage, job.kind, job.origin, job.last)),
                d.kernel.next_recheck(),
                d.rechecked,
            )
        });
        let unfinished: u64 = n.apps.iter().map(|app| app.remaining + app.script.len() as u64).sum();
        format!("\n  n{}: {daemon:?}, {unfinished} left to write", at + 1)
    };
    world.nodes.iter().enumerate().map(node).collect()
}
