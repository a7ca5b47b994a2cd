use std::fmt;

use serde::{Deserialize, Serialize};
use synapse_wal_types::Lsn;

use crate::{Origin, TxnId};

/// A vector clock: for each origin, the position up to which its transactions have been seen. An origin that is not
/// named has been seen up to nothing. A handful of entries, kept sorted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Context {
    seen: Vec<(Origin, Lsn)>,
}

impl Context {
    /// A context that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Context { seen: Vec::new() }
    }

    /// How far `origin` has been seen; [`Lsn::ZERO`] when not at all.
    #[must_use]
    pub fn get(&self, origin: Origin) -> Lsn {
        self.seen
            .iter()
            .find(|(o, _)| *o == origin)
            .map_or(Lsn::ZERO, |(_, lsn)| *lsn)
    }

    /// Whether `txn` has been seen.
    #[must_use]
    pub fn covers(&self, txn: TxnId) -> bool {
        self.get(txn.origin) >= txn.lsn
    }

    /// Whether all that `other` has seen has been seen here.
    #[must_use]
    pub fn covers_all(&self, other: &Context) -> bool {
        other.seen.iter().all(|(origin, lsn)| self.get(*origin) >= *lsn)
    }

    /// Moves `origin` forward to `lsn`; a position never goes back. Answers whether it moved.
    pub fn advance(&mut self, origin: Origin, lsn: Lsn) -> bool {
        match self.seen.binary_search_by_key(&origin, |(o, _)| *o) {
            Ok(at) if self.seen[at].1 < lsn => self.seen[at].1 = lsn,
            Ok(_) => return false,
            Err(_) if lsn == Lsn::ZERO => return false,
            Err(at) => self.seen.insert(at, (origin, lsn)),
        }
        true
    }

    /// Moves every origin forward to what `other` has seen.
    pub fn join(&mut self, other: &Context) {
        for (origin, lsn) in other.iter() {
            self.advance(origin, lsn);
        }
    }

    /// Each origin that has been seen, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Origin, Lsn)> + '_ {
        self.seen.iter().copied()
    }
}

impl FromIterator<(Origin, Lsn)> for Context {
    fn from_iter<I: IntoIterator<Item = (Origin, Lsn)>>(entries: I) -> Self {
        let mut context = Context::new();
        for (origin, lsn) in entries {
            context.advance(origin, lsn);
        }
        context
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (origin, lsn)) in self.iter().enumerate() {
            write!(f, "{}{origin}@{lsn}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("}")
    }
}
