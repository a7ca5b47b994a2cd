use proptest::prelude::*;
use synapse_engine_change::{Block, ChangeSet, OpCode, Part, Value};

use crate::samples::{origin, relation, rows, transaction};
use crate::{BLOCK_BYTES, BlockBuilder, Error, RAW_BYTES_MAX, encode_block};

fn fat_rows(count: usize, bytes: usize) -> ChangeSet {
    let (table, text) = (relation("fat", 1), vec![b'x'; bytes]);
    let mut set = ChangeSet::new();
    for _ in 0..count {
        set.push(&table, OpCode::Insert, 1, [Value::Text(&text)]).unwrap();
    }
    set
}

fn all(builder: &mut BlockBuilder) -> Vec<Block> {
    std::iter::from_fn(|| builder.finish()).collect()
}

#[test]
fn small_transactions_share_a_block() {
    let mut builder = BlockBuilder::new(origin("n1"));
    for lsn in 1..=3 {
        let set = rows(lsn, 5);
        builder.push(&transaction(lsn), &set, 1..3).unwrap();
    }
    assert!(!builder.is_full());
    let blocks = all(&mut builder);
    assert_eq!(blocks.len(), 1);
    assert_eq!(
        blocks[0]
            .transactions
            .iter()
            .map(|t| t.changes.clone())
            .collect::<Vec<_>>(),
        [0..2, 2..4, 4..6]
    );
    assert_eq!(builder.finish(), None);
}

#[test]
fn a_large_transaction_is_cut_into_parts_of_its_own() {
    let mut builder = BlockBuilder::new(origin("n1"));
    builder.push(&transaction(1), &rows(1, 1), 0..1).unwrap();
    let large = fat_rows(10, 100_000);
    builder.push(&transaction(2), &large, 0..10).unwrap();
    assert!(builder.is_full());
    builder.push(&transaction(3), &rows(3, 1), 0..1).unwrap();
    let blocks = all(&mut builder);
    let parts: Vec<_> = blocks.iter().map(|block| block.transactions[0].part).collect();
    assert_eq!(
        parts,
        [
            Part::Whole,
            Part::Middle(0),
            Part::Middle(1),
            Part::Middle(2),
            Part::Middle(3),
            Part::Last(4),
            Part::Whole
        ]
    );
    assert!(blocks.iter().all(|block| block.changes.bytes() <= BLOCK_BYTES));
    for block in &blocks {
        assert_eq!(encode_block(block).unwrap().decode().unwrap(), *block);
    }
}

#[test]
fn one_row_may_exceed_a_block_but_not_the_limit() {
    let mut builder = BlockBuilder::new(origin("n1"));
    builder
        .push(&transaction(1), &fat_rows(1, 2 * BLOCK_BYTES), 0..1)
        .unwrap();
    assert_eq!(all(&mut builder)[0].transactions[0].part, Part::Whole);
    let giant = fat_rows(1, RAW_BYTES_MAX as usize);
    let refused = builder.push(&transaction(2), &giant, 0..1);
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    assert_eq!(builder.finish(), None);
}

#[test]
fn a_transaction_that_committed_before_the_last_one_is_refused() {
    let mut builder = BlockBuilder::new(origin("n1"));
    builder.push(&transaction(2), &rows(2, 1), 0..1).unwrap();
    assert!(matches!(
        builder.push(&transaction(2), &rows(2, 1), 0..1),
        Err(Error::OutOfOrder { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn blocks_hold_every_change_in_order(sizes in proptest::collection::vec((1_usize..30, 0_usize..60_000), 1..8)) {
        let mut builder = BlockBuilder::new(origin("n1"));
        let (mut expected, mut lsn) = (ChangeSet::new(), 0);
        for (count, bytes) in sizes {
            lsn += 1;
            let set = fat_rows(count, bytes);
            builder.push(&transaction(lsn), &set, 0..count).unwrap();
            expected.extend_from(&set, 0..count, |_| true).unwrap();
        }
        let blocks = all(&mut builder);
        let mut read = ChangeSet::new();
        for block in &blocks {
            prop_assert!(block.changes.bytes() <= BLOCK_BYTES);
            read.extend_from(&block.changes, 0..block.changes.len(), |_| true).unwrap();
        }
        prop_assert!(read == expected);
        let whole = blocks.iter().flat_map(|b| &b.transactions).filter(|t| !matches!(t.part, Part::Middle(_))).count();
        prop_assert_eq!(whole as u64, lsn);
    }
}
