use synapse_wal_types::{Lsn, Oid};

use crate::{
    Class, Error, InStream, LogicalMessage, Message, Origin, Truncate, TruncateOptions, TupleData, Update, Value,
    decode, encode,
};

fn refused(bytes: &[u8]) -> Error {
    decode(bytes, InStream::No).expect_err("malformed bytes were taken")
}

#[test]
fn malformed_messages_are_refused_with_their_offset() {
    let unexpected = |offset, byte, expected| Error::UnexpectedByte { offset, byte, expected };
    let cases: [(&[u8], Error); 14] = [
        (
            b"",
            Error::Truncated {
                offset: 0,
                needed: 1,
                left: 0,
            },
        ),
        (b"Z", Error::UnknownTag { offset: 0, tag: b'Z' }),
        (b"E\0", Error::Trailing { offset: 1, left: 1 }),
        (
            b"B\0\0\0",
            Error::Truncated {
                offset: 1,
                needed: 8,
                left: 3,
            },
        ),
        (b"C\x01", unexpected(1, 1, "flags 0")),
        (b"O\0\0\0\0\0\0\0\0abc", Error::Unterminated { offset: 9 }),
        (
            b"R\0\0\0\x01s\0t\0x",
            unexpected(9, b'x', "replica identity d, n, f or i"),
        ),
        (
            b"R\0\0\0\x01s\0t\0d\0\x01\x02",
            unexpected(12, 2, "column flags 0 or 1"),
        ),
        (b"I\0\0\0\x01K", unexpected(5, b'K', "tuple N")),
        (b"I\0\0\0\x01N\0\x01x", unexpected(8, b'x', "column n, u, t or b")),
        (
            b"I\0\0\0\x01N\0\x01t\xff\xff\xff\xff",
            Error::NegativeLength { offset: 9, length: -1 },
        ),
        (b"U\0\0\0\x01K\0\x01nK", unexpected(9, b'K', "tuple N")),
        (b"D\0\0\0\x01N\0\0", unexpected(5, b'N', "tuple K or O")),
        (
            b"T\0\0\0\x01\x04\0\0\0\x01",
            unexpected(5, 4, "truncate options 0 to 3"),
        ),
    ];
    for (bytes, error) in cases {
        assert_eq!(refused(bytes), error);
        assert_eq!(error.class(), Class::Bug);
    }
}

#[test]
fn a_lying_count_ends_where_the_bytes_end() {
    assert_eq!(
        refused(b"I\0\0\0\x01N\xff\xff"),
        Error::Truncated {
            offset: 8,
            needed: 1,
            left: 0
        }
    );
    assert_eq!(
        refused(b"T\xff\xff\xff\xff\0\0\0"),
        Error::Truncated {
            offset: 6,
            needed: 4,
            left: 2
        }
    );
    assert_eq!(
        refused(b"I\0\0\0\x01N\0\x01t\x7f\xff\xff\xffx"),
        Error::Truncated {
            offset: 13,
            needed: 0x7fff_ffff,
            left: 1
        }
    );
}

#[test]
fn a_name_in_another_encoding_is_the_databases_matter() {
    let error = refused(b"O\0\0\0\0\0\0\0\0\xe9t\xe9\0");
    assert!(matches!(error, Error::NotUtf8 { offset: 9, .. }), "{error:?}");
    assert_eq!(error.class(), Class::Definite);
}

#[test]
fn values_need_not_be_text() {
    let bytes = b"I\0\0\0\x01N\0\x01t\0\0\0\x02\xe9\0";
    let Ok(Message::Insert(insert)) = decode(bytes, InStream::No) else {
        panic!("not an insert")
    };
    assert_eq!(insert.new.values, [Value::Text(b"\xe9\0")]);
}

#[test]
fn values_are_borrowed_from_the_message() {
    let bytes = b"I\0\0\0\x01N\0\x01t\0\0\0\x02ab".to_vec();
    let Ok(Message::Insert(insert)) = decode(&bytes, InStream::No) else {
        panic!("not an insert")
    };
    let [Value::Text(value)] = insert.new.values[..] else {
        panic!("not one text")
    };
    assert_eq!(value.as_ptr(), bytes[bytes.len() - 2..].as_ptr());
}

#[test]
fn what_the_protocol_cannot_hold_is_not_written() {
    let mut out = b"before".to_vec();
    let origin = Message::Origin(Origin {
        origin_lsn: Lsn(1),
        name: "a\0b",
    });
    assert_eq!(encode(&origin, &mut out), Err(Error::ZeroInName { position: 1 }));
    let new = TupleData {
        values: vec![Value::Null; 65_536],
    };
    let update = Message::Update(Update {
        xid: None,
        relation: Oid(1),
        old: None,
        new,
    });
    assert_eq!(
        encode(&update, &mut out),
        Err(Error::TooManyColumns { columns: 65_536 })
    );
    assert_eq!(out, b"before");
}

#[test]
fn empty_lists_and_contents_are_messages() {
    let truncate = Truncate {
        xid: None,
        options: TruncateOptions::default(),
        relations: vec![],
    };
    assert_eq!(decode(b"T\0\0\0\0\0", InStream::No), Ok(Message::Truncate(truncate)));
    let message = LogicalMessage {
        xid: None,
        transactional: true,
        lsn: Lsn(0),
        prefix: "",
        content: b"",
    };
    assert_eq!(
        decode(b"M\x01\0\0\0\0\0\0\0\0\0\0\0\0\0", InStream::No),
        Ok(Message::Message(message))
    );
}
