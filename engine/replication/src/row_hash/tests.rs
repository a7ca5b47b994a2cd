use std::collections::HashSet;
use std::hash::BuildHasher;

use synapse_engine_identity::{KeyHash, RowId, TableId};

use super::*;

#[test]
fn rows_spread_over_all_the_places_of_a_table() {
    let build = BuildHasherDefault::<RowHasher>::default();
    let mut places = HashSet::new();
    let mut tags = HashSet::new();
    for table in 0..16 {
        for key in 0..256_u32 {
            let row = RowId {
                table: TableId(table),
                key: KeyHash::of([key.to_le_bytes().as_slice()]),
            };
            let hash = build.hash_one(row);
            places.insert(hash % 4096);
            tags.insert(hash >> 57);
        }
    }
    // Thrown at random, 4,096 rows would hit about 63 of 100 places.
    assert!(places.len() > 2400, "{}", places.len());
    assert_eq!(tags.len(), 128);
}
