//! A register as bytes, for an [`Overflow`](crate::Overflow) of the same process: no version, because nobody else ever
//! reads them.
//!
//! ```text
//! register: truncates u32 | entries u16 | entry ...
//! entry:    origin u8 | existence, form and counts u8 | hlc u64 | lsn u64 | epoch u32 | [columns u16 | column u16 ...]
//! ```
//!
//! All integers are little-endian. The columns are there only when the set is not empty, which is rare.

use smallvec::SmallVec;
use synapse_engine_identity::{ColumnId, ColumnSet, Epoch, Hlc};
use synapse_wal_types::Lsn;

use crate::entry::{Counts, Entry, Existence};
use crate::register::{Author, Carried, OriginIndex, Register};

/// Set in an entry's form when the write carried all columns but those of the set.
const ALL_BUT: u8 = 4;
/// Set in an entry's form when a set of columns follows.
const WITH_COLUMNS: u8 = 8;
/// Set in an entry's form when it added to counters.
const ADDS: u8 = 16;
/// Set in an entry's form when it inserted the row.
const INSERTS: u8 = 32;

impl Register {
    /// Appends the register to `out`; [`Register::decode`] is the way back.
    ///
    /// # Panics
    /// When a row has more than 65,535 writes in the unstable window that matter: there is at most one per origin with
    /// a say on existence, and one per column.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.truncates.to_le_bytes());
        out.extend(u16_of(self.entries.len()).to_le_bytes());
        for entry in &self.entries {
            let (author, carried) = (entry.author(), entry.carried());
            let (all_but, set) = match &carried {
                Carried::AllBut(set) => (ALL_BUT, set),
                Carried::Only(set) => (0, set),
            };
            let existence = match entry.existence {
                Existence::Live => 0,
                Existence::Dead => 1,
                Existence::Overruled => 2,
            };
            let columns = if set.is_empty() { 0 } else { WITH_COLUMNS };
            out.push(author.origin.0);
            let counts = match entry.counts() {
                Counts::Nothing => 0,
                Counts::Adds => ADDS,
                Counts::Inserts => INSERTS,
            };
            out.push(existence | all_but | columns | counts);
            out.extend(author.hlc.0.to_le_bytes());
            out.extend(author.lsn.0.to_le_bytes());
            out.extend(author.epoch.0.to_le_bytes());
            if columns != 0 {
                out.extend(u16_of(set.iter().count()).to_le_bytes());
                out.extend(set.iter().flat_map(|column| column.0.to_le_bytes()));
            }
        }
    }

    /// The register that [`Register::encode`] made `bytes` of; `None` when it made no such bytes.
    #[must_use]
    pub fn decode(mut bytes: &[u8]) -> Option<Register> {
        let bytes = &mut bytes;
        let truncates = u32::from_le_bytes(take(bytes)?);
        let count = u16::from_le_bytes(take(bytes)?);
        let mut entries = SmallVec::new();
        for _ in 0..count {
            entries.push(entry(bytes)?);
        }
        bytes.is_empty().then_some(Register { entries, truncates })
    }
}

fn entry(bytes: &mut &[u8]) -> Option<Entry> {
    let [origin, form] = take(bytes)?;
    let author = Author {
        hlc: Hlc(u64::from_le_bytes(take(bytes)?)),
        origin: OriginIndex(origin),
        lsn: Lsn(u64::from_le_bytes(take(bytes)?)),
        epoch: Epoch(u32::from_le_bytes(take(bytes)?)),
    };
    let mut set = ColumnSet::new();
    if form & WITH_COLUMNS != 0 {
        for _ in 0..u16::from_le_bytes(take(bytes)?) {
            set.insert(ColumnId(u16::from_le_bytes(take(bytes)?)));
        }
    }
    let counts = match form & (ADDS | INSERTS) {
        0 => Counts::Nothing,
        ADDS => Counts::Adds,
        INSERTS => Counts::Inserts,
        _ => return None,
    };
    let existence = match form & !(ALL_BUT | WITH_COLUMNS | ADDS | INSERTS) {
        0 => Existence::Live,
        1 => Existence::Dead,
        2 => Existence::Overruled,
        _ => return None,
    };
    let carried = if form & ALL_BUT != 0 {
        Carried::AllBut(set)
    } else {
        Carried::Only(set)
    };
    let mut entry = Entry::new(author, existence, carried);
    entry.set_counts(counts);
    Some(entry)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

fn u16_of(count: usize) -> u16 {
    u16::try_from(count).expect("a table has at most 1,600 columns, a row's register a few writes for each")
}

#[cfg(test)]
mod tests;
