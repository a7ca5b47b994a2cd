//! Hash maps by row: a row's key is a hash already.

use std::hash::{BuildHasherDefault, Hasher};

/// A map by row.
pub(crate) type RowMap<V> = std::collections::HashMap<synapse_engine_identity::RowId, V, BuildHasherDefault<RowHasher>>;

/// Takes the first eight bytes of the key and mixes the table in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowHasher(u64);

impl Hasher for RowHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.0 ^= u64::from_le_bytes(first);
    }

    fn write_u32(&mut self, table: u32) {
        self.0 ^= u64::from(table).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    /// The length of the key, the same for all.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests;
