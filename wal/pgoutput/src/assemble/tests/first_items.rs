use super::{abort, begin, commit, committed, insert, message, origin, relation, start, stream_commit};
use crate::{FIRST_MESSAGE_BYTES_MAX, First, LogicalMessage, Message};

fn marker(content: &str) -> First {
    First::Message {
        prefix: "p".into(),
        content: content.as_bytes().into(),
    }
}

/// What a streamed transaction 10 starts with after `chunk` and `end`.
fn streamed(chunk: &[Message<'static>], end: &[Message<'static>]) -> First {
    let mut messages = vec![start(10, true)];
    messages.extend_from_slice(chunk);
    messages.push(Message::StreamStop);
    messages.extend_from_slice(end);
    messages.push(stream_commit(10, 100));
    committed(messages).first
}

#[test]
fn a_transaction_is_known_by_its_first_item() {
    let whole = |items: &[Message<'static>]| {
        committed(
            [
                &[begin(7, 100), origin("o"), relation(0, &["a"])],
                items,
                &[commit(100)],
            ]
            .concat(),
        )
        .first
    };
    assert_eq!(whole(&[]), First::Nothing);
    assert_eq!(whole(&[insert(0, 1), message(0, "x")]), First::Change);
    assert_eq!(whole(&[message(0, "x"), insert(0, 1), message(0, "y")]), marker("x"));
}

#[test]
fn a_streamed_transaction_is_known_by_its_first_item() {
    let table = relation(10, &["a"]);
    assert_eq!(streamed(&[], &[]), First::Nothing);
    assert_eq!(
        streamed(&[message(10, "x"), table.clone(), insert(10, 1)], &[]),
        marker("x")
    );
    assert_eq!(
        streamed(&[origin("o"), table.clone(), insert(10, 1), message(10, "x")], &[]),
        First::Change
    );
    assert_eq!(streamed(&[message(11, "x"), table, insert(10, 1)], &[]), marker("x"));
}

#[test]
fn what_rolled_back_was_never_first() {
    let (x, y, z) = (message(11, "x"), message(12, "y"), message(10, "z"));
    let chunk = [x, y, z];
    assert_eq!(streamed(&chunk, &[]), marker("x"));
    assert_eq!(streamed(&chunk, &[abort(10, 11)]), marker("y"));
    assert_eq!(streamed(&chunk, &[abort(10, 12)]), marker("x"));
    assert_eq!(streamed(&chunk, &[abort(10, 12), abort(10, 11)]), marker("z"));
    assert_eq!(streamed(&[message(11, "x")], &[abort(10, 11)]), First::Nothing);
}

#[test]
fn first_is_by_order_of_items_and_not_of_xids() {
    assert_eq!(
        streamed(&[message(12, "x"), message(11, "y"), message(12, "z")], &[]),
        marker("x")
    );
}

#[test]
fn a_message_outside_of_transactions_is_no_item() {
    let logical = LogicalMessage {
        xid: Some(synapse_wal_types::Xid(10)),
        transactional: false,
        lsn: synapse_wal_types::Lsn(1),
        prefix: "p",
        content: b"",
    };
    assert_eq!(
        streamed(&[Message::Message(logical), message(10, "x")], &[]),
        marker("x")
    );
}

#[test]
fn a_first_message_too_long_to_keep_is_named() {
    for (bytes, kept) in [(FIRST_MESSAGE_BYTES_MAX, true), (FIRST_MESSAGE_BYTES_MAX + 1, false)] {
        let content: &'static str = "x".repeat(bytes).leak();
        let long = First::LongMessage {
            prefix: "p".into(),
            bytes,
        };
        let first = committed([begin(7, 100), message(0, content), commit(100)]).first;
        assert_eq!(first, if kept { marker(content) } else { long });
    }
}
