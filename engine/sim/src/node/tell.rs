//! Values of a row that a peer asks for: as they are here, once no crash can take them back.

use synapse_wal_types::{Lsn, Xid};

use crate::network::Message;
use crate::postgres::{Row, Table};
use crate::world::{Event, World};

/// A server may crash at any time, and after one in so many answers it does soon.
const CRASHES_ONE_IN: u64 = 3;

/// A peer's question on its way to an answer.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) peer: usize,
    pub(crate) id: u64,
    pub(crate) table: Table,
    pub(crate) key: u64,
    pub(crate) state: Stand,
}

/// How far the answer is.
#[derive(Debug)]
pub(crate) enum Stand {
    Unread,
    /// The row was not found, and these had committed: one of them may have inserted it, for that is asked of an update
    /// that has been read here.
    AwaitsLate(Vec<Xid>),
    /// It is the answer when the log is flushed up to here.
    Read(Option<Row>, Lsn),
}

impl World {
    /// A peer asks for a row.
    pub(crate) fn tell(&mut self, node: usize, mut question: Question) {
        let run = self.nodes[node].run;
        let n = &mut self.nodes[node];
        let Some(daemon) = n.daemon.as_ref() else { return };
        let in_progress = n.server.xacts.in_progress(None);
        let row = n.server.row(question.table, question.key);
        let read = |row| Stand::Read(row, n.server.wal.inserted());
        question.state = match question.state {
            Stand::Unread => match daemon.kernel.late(&in_progress) {
                late if row.is_none() && !late.is_empty() => Stand::AwaitsLate(late),
                _ => read(row),
            },
            Stand::AwaitsLate(late) if in_progress.iter().any(|t| late.contains(&t.xid)) => Stand::AwaitsLate(late),
            Stand::AwaitsLate(_) => read(row),
            read @ Stand::Read(..) => read,
        };
        match question.state {
            Stand::Read(row, end) if end <= n.server.wal.flushed() => {
                let Question {
                    peer, id, table, key, ..
                } = question;
                self.trace(node, || format!("tells n{} of {table:?} {key}: {row:?}", peer + 1));
                self.nodes[node].told.extend(row.iter().flatten().skip(1).flatten());
                if self.rng.one_in(CRASHES_ONE_IN) {
                    let life = self.nodes[node].life;
                    let delay = self.rng.latency(300);
                    self.schedule.after(delay, Event::Crash { node, life });
                }
                self.send(node, peer, Message::Told { id, row });
            }
            Stand::Unread | Stand::AwaitsLate(_) | Stand::Read(..) => {
                n.server.flush_wanted = true;
                self.after_server(node);
                let delay = self.rng.latency(300);
                self.schedule.after(delay, Event::Question { node, run, question });
            }
        }
    }
}

#[cfg(test)]
mod tests;
