use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use synapse_wal_types::{Lsn, PgTimestamp};

use super::feedback::encode;
use super::{Event, Feedback, Reply};
use crate::wire::Frame;
use crate::{Class, Error};

fn read(body: &[u8]) -> Result<Event, Error> {
    Event::read(&Frame {
        tag: b'd',
        body: Bytes::copy_from_slice(body),
    })
}

#[test]
fn events_are_read_field_by_field() {
    let data = [
        &b"w"[..],
        &1_u64.to_be_bytes(),
        &2_u64.to_be_bytes(),
        &(-3_i64).to_be_bytes(),
        b"xyz",
    ]
    .concat();
    let expected = Event::XLogData {
        start: Lsn(1),
        end: Lsn(2),
        clock: PgTimestamp(-3),
        data: Bytes::from_static(b"xyz"),
    };
    assert_eq!(read(&data).unwrap(), expected);
    let keepalive = [&b"k"[..], &7_u64.to_be_bytes(), &8_i64.to_be_bytes(), &[1]].concat();
    let expected = Event::Keepalive {
        wal_end: Lsn(7),
        clock: PgTimestamp(8),
        reply_requested: true,
    };
    assert_eq!(read(&keepalive).unwrap(), expected);
}

#[test]
fn malformed_events_name_their_offset() {
    let at = |body: &[u8]| match read(body) {
        Err(Error::Malformed { tag: 'd', offset, .. }) => offset,
        other => panic!("{other:?}"),
    };
    assert_eq!(at(b""), 0);
    assert_eq!(at(b"x"), 1);
    assert_eq!(at(b"w1234567"), 1);
    assert_eq!(at(b"w123456781234567"), 9);
    assert_eq!(at(b"k12345678123456781z"), 18);
    assert_eq!(at(b"k1234567812345678\x01z"), 18);
    assert_eq!(at(b"k1234567812345678\x02"), 18);
}

#[test]
fn no_reported_position_goes_back() {
    let report = |write, flush, apply| Feedback {
        write: Lsn(write),
        flush: Lsn(flush),
        apply: Lsn(apply),
    };
    let earlier = report(5, 5, 5);
    for (later, position) in [
        (report(4, 5, 5), "write"),
        (report(5, 4, 5), "flush"),
        (report(9, 9, 4), "apply"),
    ] {
        let error = later.check(&earlier).unwrap_err();
        assert!(matches!(error, Error::FeedbackWentBack { position: p, from: Lsn(5), to: Lsn(4) } if p == position));
        assert_eq!(error.class(), Class::Bug);
    }
    earlier.check(&earlier).unwrap();
    // Apply may run ahead of flush: the slot is confirmed later than peers have applied.
    report(5, 6, 9).check(&earlier).unwrap();
}

#[test]
fn a_status_has_the_documented_bytes() {
    let mut out = BytesMut::new();
    let feedback = Feedback {
        write: Lsn(1),
        flush: Lsn(2),
        apply: Lsn(3),
    };
    encode(&feedback, PgTimestamp(4), Reply::Wanted, &mut out).unwrap();
    let numbers: Vec<u8> = [1_u64, 2, 3, 4]
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    assert_eq!(out, [&b"d\0\0\0\x26r"[..], &numbers, &[1]].concat());
    out.clear();
    encode(&feedback, PgTimestamp(4), Reply::NotNeeded, &mut out).unwrap();
    assert_eq!(out.last(), Some(&0));
}

proptest! {
    #[test]
    fn any_event_is_read_or_refused_within_itself(body in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Err(Error::Malformed { offset, .. }) = read(&body) {
            prop_assert!(offset <= body.len());
        }
    }
}
