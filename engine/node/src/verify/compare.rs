//! Which rows differ: pure functions of what the nodes read.

use std::collections::{BTreeMap, BTreeSet};

use crate::frames::{Digest, RowKey};

/// Keys of one node that are compared at once: about 50 MB of a daemon's memory a node.
pub(crate) const KEYS_MAX: u64 = 200_000;

/// One row as each node read it, in the order of the nodes; `None` where there is none.
pub(crate) type Readings = Vec<Option<Digest>>;

/// Rows that differ, or may.
pub(crate) type Suspects = BTreeMap<RowKey, Readings>;

impl Digest {
    /// Of one row, from its MD5 in hexadecimal.
    pub(crate) fn of_row(md5: &str) -> Option<Self> {
        let number = |digits: Option<&str>| u64::from_str_radix(digits?, 16).ok();
        Some(Digest {
            rows: 1,
            high: number(md5.get(..16))?,
            low: number(md5.get(16..32))?,
        })
    }

    /// Of both together.
    pub(crate) fn and(self, other: Digest) -> Digest {
        Digest {
            rows: self.rows + other.rows,
            high: self.high.wrapping_add(other.high),
            low: self.low.wrapping_add(other.low),
        }
    }
}

/// Buckets in which the nodes differ, with the greatest number of rows that a node has there.
pub(crate) fn differing(nodes: &[BTreeMap<u32, Digest>]) -> Vec<(u32, u64)> {
    let buckets: BTreeSet<u32> = nodes.iter().flat_map(|node| node.keys().copied()).collect();
    let mut differing = Vec::new();
    for bucket in buckets {
        let digests = || nodes.iter().map(|node| node.get(&bucket));
        if !all_equal(digests()) {
            let rows = digests().flatten().map(|digest| digest.rows).max().unwrap_or(0);
            differing.push((bucket, rows));
        }
    }
    differing
}

/// Divides buckets so that the rows of each part are about `rows_max` at most; a bucket is never divided.
pub(crate) fn chunks(buckets: &[(u32, u64)], rows_max: u64) -> Vec<Vec<u32>> {
    let mut chunks: Vec<Vec<u32>> = Vec::new();
    let mut room = 0;
    for (bucket, rows) in buckets {
        match chunks.last_mut() {
            Some(chunk) if *rows <= room => {
                chunk.push(*bucket);
                room -= rows;
            }
            Some(_) | None => {
                chunks.push(vec![*bucket]);
                room = rows_max.saturating_sub(*rows);
            }
        }
    }
    chunks
}

/// The keys at which the nodes differ.
pub(crate) fn suspects(nodes: Vec<BTreeMap<RowKey, Digest>>) -> Suspects {
    let count = nodes.len();
    let mut suspects = Suspects::new();
    for (at, node) in nodes.into_iter().enumerate() {
        for (key, digest) in node {
            suspects.entry(key).or_insert_with(|| vec![None; count])[at] = Some(digest);
        }
    }
    suspects.retain(|_, readings| !all_equal(readings.iter()));
    suspects
}

/// What a second reading of a row means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Equal,
    Different,
    /// It was written meanwhile: it has to be read once more.
    Moving,
}

/// What passed between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// Every node has applied what all others had committed at the first reading.
    Applied,
    /// Something stands still, and will until a person does something.
    Stands,
}

/// Judges a row that differed at the first reading.
///
/// If no node's row has changed and each node has applied all that the others had committed at the first reading, then
/// all nodes have decided over the same writes and disagree. A row that changed has been written, and what was written
/// may still be on its way.
pub(crate) fn judge(first: &Readings, second: &Readings, between: Between) -> Judged {
    if all_equal(second.iter()) {
        return Judged::Equal;
    }
    match between {
        Between::Stands => Judged::Different,
        Between::Applied if first == second => Judged::Different,
        Between::Applied => Judged::Moving,
    }
}

fn all_equal<T: PartialEq>(mut values: impl Iterator<Item = T>) -> bool {
    values.next().is_none_or(|first| values.all(|value| value == first))
}

#[cfg(test)]
mod tests;
