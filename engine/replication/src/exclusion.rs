//! Rows that exclude each other, through a unique index beside the key or an exclusion constraint: which of them stand.
//!
//! Of the rows that live, taken from the one that was written last to the one that was written first, each stands that
//! excludes none taken before it. That is a function of the rows and of the times of their latest known writes, and of
//! nothing else: not of the order of arrival, not of who asks. It is the one set in which no two rows exclude each other
//! and every row that is left out is excluded by a later one that stands.

use std::cmp::Reverse;

use synapse_engine_identity::{Hlc, Origin, RowId};

/// When a row was last written: by this, and by their keys where it is the same write, rows that exclude each other are
/// ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastWrite {
    /// The time of the write.
    pub hlc: Hlc,
    /// Whose it was.
    pub origin: Origin,
}

/// A row that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// The row.
    pub row: RowId,
    /// When it was last written, where a register or a record says it. Of a row that stands it may not be known any more:
    /// its last write is stable, and then earlier than every write that is not.
    pub written: Option<LastWrite>,
    /// Whether it was displaced before, and nothing that is not stable has written it since. A row in its way whose last
    /// write is not known came later: this node wrote it when the displaced one was gone already.
    pub waits: bool,
}

/// For each of `rows` whether it stands. `excludes` are pairs of places in `rows`. Where it was not known when a row was last
/// written, a time is put in that stands to all others as the true one does.
pub fn standing(me: Origin, rows: &mut [Contender], excludes: &[(usize, usize)]) -> Vec<bool> {
    let others = |at: usize| {
        excludes.iter().filter_map(move |&(a, b)| match (a == at, b == at) {
            (true, _) => Some(b),
            (_, true) => Some(a),
            (false, false) => None,
        })
    };
    for at in 0..rows.len() {
        if rows[at].written.is_none() {
            let waiting = others(at).filter(|other| rows[*other].waits);
            let last = waiting.filter_map(|other| rows[other].written).max();
            let hlc = last.map_or(Hlc(0), |last| Hlc(last.hlc.0 + 1));
            rows[at].written = Some(LastWrite { hlc, origin: me });
        }
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_unstable_by_key(|at| Reverse((rows[*at].written, rows[*at].row)));
    #[cfg(feature = "mutants")]
    if crate::Mutant::EarlierRowStands.is_chosen() {
        order.reverse();
    }
    let mut stands = vec![false; rows.len()];
    for at in order {
        stands[at] = !others(at).any(|other| stands[other]);
    }
    stands
}

#[cfg(test)]
mod tests;
