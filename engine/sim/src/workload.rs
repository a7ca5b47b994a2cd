//! Applications at work: one statement after the other, with pauses.

use synapse_wal_types::Lsn;

use crate::app::App;
use crate::node::Owner;
use crate::postgres::{Answer, Kind, SqlState, Statement};
use crate::schedule::Micros;
use crate::world::{Event, World};

/// So often an application goes quiet between two transactions, until all those that did go on at once: by then what
/// they wrote may be stable, and is in no register any more when several of them change it.
const LULL_ONE_IN: u64 = 4;
const LULL_ENDS_EVERY: Micros = 800_000;
const LULL_LEFT_WITHIN: Micros = 3_000;

impl World {
    /// An application's session goes on: its next statement, its next transaction, or its end.
    pub(crate) fn app_goes_on(&mut self, node: usize, app: usize) {
        if !self.nodes[node].server_up {
            return;
        }
        let (writer, now) = (self.writer(node), self.now());
        let n = &mut self.nodes[node];
        let state = &mut n.apps[app];
        let session = *state.session.get_or_insert_with(|| n.server.connect(Kind::Application));
        n.owners.insert(session, Owner::App(app));
        if n.server.sessions.get(&session).is_none_or(|s| s.running.is_some()) {
            return;
        }
        if state.script.is_empty() {
            let person = (node, app) == (0, 0);
            let asked = self.asked.filter(|_| person);
            if state.remaining == 0 && asked.is_none() {
                return;
            }
            state.remaining = state.remaining.saturating_sub(1);
            let sets_policy =
                asked.is_some() || (person && self.policy_one_in.is_some_and(|one_in| self.rng.one_in(one_in)));
            let (lull, since) = (now / LULL_ENDS_EVERY, now % LULL_ENDS_EVERY);
            state.script = if sets_policy {
                self.epoch += 1;
                self.asked = None;
                writer.policy(self.epoch, asked, &mut self.rng)
            } else if lull > 0 && since <= LULL_LEFT_WITHIN && self.rng.percent(75) {
                match lull % 3 {
                    0 => writer.duel(lull, &mut self.rng, &mut self.fresh),
                    1 => writer.chase(lull, &mut self.rng, &mut self.fresh),
                    _ => writer.family(lull, &mut self.rng, &mut self.fresh),
                }
            } else {
                writer.transaction(&mut self.rng, &mut self.fresh)
            };
        }
        if let Some(statement) = state.script.pop_front() {
            self.submit(node, session, statement);
        }
    }

    pub(crate) fn app_answered(&mut self, node: usize, app: usize, result: Result<Answer, SqlState>) {
        let idle = self.nodes[node].apps[app].idle_typical;
        let script = &mut self.nodes[node].apps[app].script;
        if result.is_err() {
            // Back to the savepoint, if one is open; the rest of the transaction is not sent.
            script.clear();
            script.push_back(Statement::Rollback);
        }
        let between = script.is_empty();
        let delay = if between && self.rng.one_in(LULL_ONE_IN) && !self.calm {
            LULL_ENDS_EVERY - self.now() % LULL_ENDS_EVERY + self.rng.between(0, LULL_LEFT_WITHIN)
        } else if between {
            self.rng.latency(idle)
        } else if self.rng.one_in(25) && !self.calm {
            self.rng.between(1_000, 120_000)
        } else {
            self.rng.between(1, 400)
        };
        self.schedule.after(delay, Event::App { node, app });
    }

    /// Whether applications have done what they had to do, and all of it is visible.
    pub(crate) fn applications_are_done(&self) -> bool {
        let done = |app: &App| app.remaining == 0 && app.script.is_empty();
        self.nodes
            .iter()
            .all(|n| n.server_up && n.apps.iter().all(done) && !n.server.serves_applications())
            && self.asked.is_none()
    }

    /// The end of each node's log.
    pub(crate) fn ends(&self) -> Vec<Lsn> {
        self.nodes.iter().map(|n| n.server.wal.inserted()).collect()
    }
}
