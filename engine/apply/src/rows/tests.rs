use synapse_engine_change::Value;
use synapse_engine_identity::{KeyHash, RowId, TableId};

use super::{CHUNK_BYTES_MAX, CHUNK_ROWS_MAX, chunks};

fn rows(count: usize, value: &[u8]) -> Vec<(RowId, Vec<Value<'_>>)> {
    let row = RowId {
        table: TableId(1),
        key: KeyHash([0; 16]),
    };
    vec![(row, vec![Value::Text(value)]); count]
}

#[test]
fn rows_are_cut_by_number_and_by_bytes_and_a_huge_row_stands_alone() {
    assert_eq!(chunks(&[]), []);
    assert_eq!(chunks(&rows(3, b"x")), vec![0..3; 1]);
    let many = chunks(&rows(CHUNK_ROWS_MAX + 1, b"x"));
    assert_eq!(many, [0..CHUNK_ROWS_MAX, CHUNK_ROWS_MAX..CHUNK_ROWS_MAX + 1]);
    let half = vec![b'x'; CHUNK_BYTES_MAX / 2 - 8];
    assert_eq!(chunks(&rows(3, &half)), [0..2, 2..3]);
    let huge = vec![b'x'; CHUNK_BYTES_MAX + 1];
    assert_eq!(chunks(&rows(2, &huge)), [0..1, 1..2]);
}
