use synapse_wal_types::Xid;

use super::first::FirstItems;
use super::relations::Relations;
use crate::{Begin, NamedOrigin};

/// Where in the stream we are.
#[derive(Debug, Default)]
pub(super) enum Place {
    /// Outside of transactions.
    #[default]
    Between,
    /// Between a begin and its commit.
    Transaction(Box<(Begin, Facts)>),
    /// Between stream start and stream stop of this top-level transaction, which is open.
    Chunk(Xid),
}

impl Place {
    /// In words that follow the name of a message.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Place::Between => "between transactions",
            Place::Transaction(_) => "inside a transaction",
            Place::Chunk(_) => "inside a chunk of a streamed transaction",
        }
    }
}

/// What is known of an open transaction.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) first: FirstItems,
    pub(super) origin: Option<NamedOrigin>,
}

impl Facts {
    pub(super) fn new(top: Xid) -> Self {
        Facts {
            first: FirstItems::new(top),
            origin: None,
        }
    }
}

/// A streamed transaction.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) facts: Facts,
    pub(super) relations: Relations,
}
