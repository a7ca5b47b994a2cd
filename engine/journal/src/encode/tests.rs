use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use synapse_engine_change::{Block, ChangeSet, OpCode, Part, Transaction, Value};
use synapse_engine_identity::{Context, Epoch, Hlc};
use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::samples::{block, encoded, origin, relation, transaction};
use crate::{BlockHeader, EncodedBlock, Error, Kind, RAW_BYTES_MAX, decode, encode_block, verify};

/// Written once by version 1 and never again.
const GOLDEN: &[u8] = include_bytes!("golden-v1.block");

/// Every kind of operation and value, several contexts.
fn golden() -> Block {
    let (wide, narrow) = (relation("wide", 3), relation("narrow", 1));
    let (text, null) = (Value::Text("grün".as_bytes()), Value::Null);
    let mut changes = ChangeSet::new();
    let mut push = |table, op, values: &[Value<'_>]| changes.push(table, op, 9, values.iter().copied()).unwrap();
    push(&wide, OpCode::Insert, &[text, null, Value::Binary(&[0, 255])]);
    push(&wide, OpCode::Update, &[text, Value::Unchanged, null]);
    push(&wide, OpCode::UpdateOldKey, &[text, null, null, null, null, text]);
    push(&wide, OpCode::UpdateOldFull, &[text, null, null, null, null, text]);
    push(&narrow, OpCode::DeleteKey, &[text]);
    push(&narrow, OpCode::DeleteFull, &[Value::Text(b"")]);
    push(&narrow, OpCode::Truncate, &[]);
    push(&narrow, OpCode::TruncateRestart, &[]);
    let transactions = vec![
        Transaction {
            changes: 0..3,
            ..transaction(0x10)
        },
        Transaction {
            changes: 3..8,
            context: Arc::default(),
            ..transaction(0x20)
        },
    ];
    Block {
        origin: origin("n1"),
        transactions,
        changes,
    }
}

#[test]
fn what_version_1_wrote_is_read_for_ever() {
    assert_eq!(decode(GOLDEN).unwrap(), golden());
}

#[test]
fn the_archive_of_version_1_does_not_change() {
    let payload = |block: &EncodedBlock| {
        let header = block.header();
        super::unpack(
            super::stored(header, block.bytes()),
            header.raw_bytes,
            header.compressed,
        )
        .unwrap()
    };
    let written = EncodedBlock::from_bytes(Bytes::from_static(GOLDEN)).unwrap();
    assert_eq!(
        payload(&written).as_slice(),
        payload(&encode_block(&golden()).unwrap()).as_slice()
    );
}

#[test]
fn every_flipped_bit_of_a_block_is_found() {
    let bytes = encoded(&[1, 2, 3]).bytes().to_vec();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn transactions_of_one_node_share_their_context() {
    let mut many = block(&[1, 2, 3]);
    let context = Arc::new(Context::from_iter([(origin("n2"), Lsn(7))]));
    for txn in &mut many.transactions {
        txn.context = Arc::clone(&context);
    }
    let read = encode_block(&many).unwrap().decode().unwrap();
    assert_eq!(read, many);
    assert!(Arc::ptr_eq(
        &read.transactions[0].context,
        &read.transactions[2].context
    ));
}

#[test]
fn a_block_out_of_order_is_not_encoded() {
    let mut backwards = block(&[1, 2]);
    backwards.transactions.swap(0, 1);
    let mut part_among_others = block(&[1, 2]);
    part_among_others.transactions[0].part = Part::Middle(0);
    let mut left_over = block(&[1, 2]);
    left_over.transactions.pop();
    let empty = Block {
        transactions: Vec::new(),
        changes: ChangeSet::new(),
        ..block(&[1])
    };
    for wrong in [backwards, part_among_others, left_over, empty] {
        assert!(
            matches!(encode_block(&wrong), Err(Error::Invalid { .. })),
            "{wrong:?} was taken"
        );
    }
}

#[test]
fn a_row_that_no_block_can_hold_is_named_too_large() {
    let mut changes = ChangeSet::new();
    let giant = vec![b'x'; RAW_BYTES_MAX as usize];
    changes
        .push(&relation("t", 1), OpCode::Insert, 1, [Value::Text(&giant)])
        .unwrap();
    let transactions = vec![Transaction {
        changes: 0..1,
        ..transaction(1)
    }];
    let giant = Block {
        origin: origin("n1"),
        transactions,
        changes,
    };
    assert!(matches!(encode_block(&giant), Err(Error::TooLarge { .. })));
}

fn any_block() -> impl Strategy<Value = Block> {
    let value = prop_oneof![Just(None), proptest::collection::vec(any::<u8>(), 0..40).prop_map(Some),];
    let row = (0_usize..3, any::<u32>(), proptest::collection::vec(value, 6));
    let txn = (
        1_u64..50,
        any::<u64>(),
        any::<i64>(),
        0_u64..3,
        proptest::collection::vec(row, 0..4),
    );
    proptest::collection::vec(txn, 1..12).prop_map(|list| {
        let tables = [relation("a", 3), relation("b", 3), relation("c", 3)];
        let (mut lsn, mut changes, mut transactions) = (0, ChangeSet::new(), Vec::new());
        for (step, hlc, at, seen, list) in list {
            lsn += step;
            let start = changes.len();
            for (table, xid, values) in list {
                let op = [OpCode::Insert, OpCode::UpdateOldFull, OpCode::TruncateRestart][table];
                let values = values.iter().take(op.tuples() * 3);
                let values = values.map(|value| value.as_ref().map_or(Value::Unchanged, |bytes| Value::Text(bytes)));
                changes.push(&tables[table], op, xid, values).unwrap();
            }
            transactions.push(Transaction {
                lsn: Lsn(lsn),
                hlc: Hlc(hlc),
                context: Arc::new(Context::from_iter([(origin("n3"), Lsn(seen))])),
                epoch: Epoch(1),
                commit_ts: PgTimestamp(at),
                xid: Xid(4),
                changes: start..changes.len(),
                part: Part::Whole,
            });
        }
        Block {
            origin: origin("n1"),
            transactions,
            changes,
        }
    })
}

proptest! {
    #[test]
    fn any_block_reads_back(block in any_block()) {
        let encoded = encode_block(&block).unwrap();
        prop_assert_eq!(decode(encoded.bytes()).unwrap(), block);
    }

    /// A checksum guards against the disk, not against a program that seals nonsense.
    #[test]
    fn a_sealed_but_senseless_payload_is_refused_or_read_without_panic(block in any_block(), hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let sound = encode_block(&block).unwrap();
        let header = sound.header();
        let mut payload = super::unpack(super::stored(header, sound.bytes()), header.raw_bytes, header.compressed).unwrap();
        for (at, byte) in hits {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let senseless = super::frame(*header, &payload).unwrap();
        if let Ok(read) = decode(senseless.bytes()) {
            let (first, last) = (read.transactions[0].lsn, read.transactions.last().unwrap().lsn);
            prop_assert_eq!((first, last), (header.first, header.last));
            prop_assert_eq!(read.changes.iter(0..read.changes.len()).count(), read.changes.len());
        }
    }
}

#[test]
fn a_progress_item_is_no_block_of_transactions() {
    let item = super::encode_progress(origin("n1"), Lsn(5), b"state").unwrap();
    assert_eq!((item.header().kind, item.header().last), (Kind::Progress, Lsn(5)));
    assert_eq!(super::decode_progress(&item).unwrap(), b"state");
    assert!(item.decode().is_err());
    assert_eq!(item.bytes().len(), BlockHeader::LENGTH + 16);
}
