//! Links: ordered streams like TCP that break at any point, may be held, and go on where the receiver says.

use std::rc::Rc;

use synapse_engine_change::{Block, Part};
use synapse_engine_identity::Origin;
use synapse_engine_replication::Heartbeat;
use synapse_wal_types::Lsn;

use crate::node::Cursor;
use crate::postgres::{Row, Table};
use crate::rng::Rng;
use crate::schedule::Micros;

/// What nodes say to each other.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// The receiver holds the sender's own transactions up to here.
    Resume { after: Lsn },
    /// Consecutive transactions, in one block.
    Block(Vec<Rc<Block>>),
    /// A part of a transaction that does not fit into one block.
    Part { whole: Rc<Block>, part: Part },
    /// What the sender's stamper says of itself.
    Heartbeat(Rc<Heartbeat>),
    /// Up to where the sender holds which origin's transactions durably.
    Have(Rc<[(Origin, Lsn)]>),
    /// The sender lacks transactions of `origin` after this.
    Fetch { origin: Origin, after: Lsn },
    /// The sender lacks values of a row that comes back whole.
    Ask { id: u64, table: Table, key: u64 },
    /// The row as it is at the sender, if it is there.
    Told { id: u64, row: Option<Row> },
}

/// One direction between two nodes.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) up: bool,
    pub(crate) epoch: u32,
    pub(crate) held: bool,
    /// How far the sender has sent its own transactions; `None` until the receiver has said where to go on.
    pub(crate) cursor: Option<Cursor>,
    last_arrival: Micros,
    typical_delay: Micros,
}

impl Link {
    pub(crate) const fn new(typical_delay: Micros) -> Self {
        Link {
            up: false,
            epoch: 0,
            held: false,
            cursor: None,
            last_arrival: 0,
            typical_delay,
        }
    }

    /// When what is sent now arrives: never before what was sent earlier.
    pub(crate) fn arrival(&mut self, now: Micros, rng: &mut Rng) -> Micros {
        self.last_arrival = self.last_arrival.max(now + rng.latency(self.typical_delay));
        self.last_arrival
    }

    /// Loses everything on its way.
    pub(crate) const fn cut(&mut self) {
        self.up = false;
        self.epoch += 1;
        self.cursor = None;
        self.last_arrival = 0;
    }
}
