use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Collector, DecodingMemory, Kind, ServerVersion, Session, Step};
use crate::wire::Frame;
use crate::{Dsn, Error};

#[test]
fn versions_are_read_as_servers_print_them() {
    let read = |text| ServerVersion::read(text).map(|version| (version.major, version.minor));
    assert_eq!(read("15.18 (Debian 15.18-0+deb12u1)").unwrap(), (15, 18));
    assert_eq!(read("14.0").unwrap(), (14, 0));
    assert_eq!(read("18beta1").unwrap(), (18, 0));
    assert_eq!(read("19devel").unwrap(), (19, 0));
    assert!(matches!(
        read("13.9"),
        Err(Error::Version {
            major: 13,
            needed: 14,
            ..
        })
    ));
    for text in ["", "x", "99999999.1"] {
        assert!(matches!(read(text), Err(Error::Result { .. })), "{text}");
    }
}

#[test]
fn a_session_states_its_formats_and_limits() {
    let dsn: Dsn = "user=u dbname=d application_name=n options='-c a=b'".parse().unwrap();
    let session = Session {
        client_encoding: "SQL_ASCII".to_owned(),
        lock_timeout: Some(Duration::from_millis(1500)),
        decoding_memory: Some(DecodingMemory::from_bytes(1)),
        parameters: vec![("synchronous_commit".to_owned(), "local".to_owned())],
    };
    let startup = session.startup(&dsn, Kind::Logical);
    let value = |name: &str| startup.iter().rfind(|pair| pair.0 == name).map(|pair| pair.1.as_str());
    for (name, expected) in [
        ("replication", "database"),
        ("database", "d"),
        ("client_encoding", "SQL_ASCII"),
        ("TimeZone", "UTC"),
        ("lock_timeout", "1500ms"),
        ("logical_decoding_work_mem", "64kB"),
        ("synchronous_commit", "local"),
        ("options", "-c a=b"),
    ] {
        assert_eq!(value(name), Some(expected), "{name}");
    }
    assert_eq!(value("wal_sender_timeout"), None);
    let physical = session.startup(&dsn, Kind::Physical);
    assert!(physical.contains(&("replication".to_owned(), "true".to_owned())));
    assert!(
        !physical
            .iter()
            .any(|(name, _)| name == "database" || name == "DateStyle")
    );
}

fn frame(tag: u8, body: &[u8]) -> Frame {
    Frame {
        tag,
        body: Bytes::copy_from_slice(body),
    }
}

fn described(names: &[&str]) -> Frame {
    let mut body = u16::try_from(names.len()).unwrap().to_be_bytes().to_vec();
    for name in names {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[0; 19]);
    }
    frame(b'T', &body)
}

#[test]
fn rows_keep_null_apart_from_empty() {
    let mut collector = Collector::default();
    collector.take(&described(&["a", "b", "c"])).unwrap();
    collector
        .take(&frame(b'D', b"\0\x03\xff\xff\xff\xff\0\0\0\0\0\0\0\x01x"))
        .unwrap();
    assert!(matches!(collector.take(&frame(b'Z', b"I")).unwrap(), Step::Ready));
    let [set] = <[_; 1]>::try_from(collector.finish()).unwrap();
    assert_eq!(set.columns, ["a", "b", "c"]);
    assert_eq!(
        set.into_text().unwrap(),
        [[None, Some(String::new()), Some("x".to_owned())]]
    );
}

#[test]
fn malformed_results_name_message_and_offset() {
    let fail = |frames: &[Frame]| {
        let mut collector = Collector::default();
        frames
            .iter()
            .map(|frame| collector.take(frame))
            .find_map(Result::err)
            .unwrap()
    };
    assert!(matches!(
        fail(&[frame(b'T', b"\0\x01ab")]),
        Error::Malformed {
            tag: 'T',
            offset: 2,
            ..
        }
    ));
    assert!(matches!(
        fail(&[frame(b'T', b"\0\x01ab\0\0")]),
        Error::Malformed {
            tag: 'T',
            offset: 5,
            ..
        }
    ));
    assert!(matches!(
        fail(&[frame(b'D', b"\0\0")]),
        Error::Unexpected { tag: 'D', .. }
    ));
    let one = || described(&["a"]);
    for (body, at) in [
        (&b"\0"[..], 0),
        (b"\0\x01\0\0", 2),
        (b"\0\x01\0\0\0\x05abc", 6),
        (b"\0\x01\xff\xff\xff\xfe", 6),
        (b"\0\x01\xff\xff\xff\xffx", 6),
        (b"\0\0", 0),
    ] {
        let error = fail(&[one(), frame(b'D', body)]);
        assert!(
            matches!(error, Error::Malformed { tag: 'D', offset, .. } if offset == at),
            "{body:?}: {error}"
        );
    }
    assert!(matches!(fail(&[frame(b'?', b"")]), Error::Unexpected { tag: '?', .. }));
}

proptest! {
    #[test]
    fn any_body_of_any_result_message_is_taken_or_refused(
        tag in prop::sample::select(b"TDCISNEWZ?".to_vec()), body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut collector = Collector::default();
        collector.take(&described(&["a"])).unwrap();
        if let Err(Error::Malformed { offset, .. }) = collector.take(&frame(tag, &body)) {
            prop_assert!(offset <= body.len());
        }
    }
}
