use bytes::Bytes;
use proptest::prelude::*;

use super::frames::MESSAGE_BYTES_MAX;
use super::{Cursor, Frame, FrameReader, Outbox};
use crate::{Class, Error, ServerError};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

fn frames(bytes: &[u8], login_done: bool) -> (Vec<Frame>, Error) {
    let mut reader = FrameReader::new(bytes);
    if login_done {
        reader.login_done();
    }
    let mut all = Vec::new();
    runtime().block_on(async {
        loop {
            match reader.next("read").await {
                Ok(frame) => all.push(frame),
                Err(error) => return (all, error),
            }
        }
    })
}

#[test]
fn messages_are_cut_at_their_lengths() {
    let (all, error) = frames(b"Z\0\0\0\x05IC\0\0\0\x04N\0\0", true);
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].tag, &all[0].body[..]), (b'Z', &b"I"[..]));
    assert_eq!((all[1].tag, &all[1].body[..]), (b'C', &b""[..]));
    assert!(matches!(error, Error::Closed { during: "read" }));
}

#[test]
fn a_length_below_four_or_above_the_limit_is_an_error() {
    for length in [[0, 0, 0, 3], [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0]] {
        let bytes = [&b"Z"[..], &length].concat();
        let (_, error) = frames(&bytes, true);
        assert!(
            matches!(
                error,
                Error::Malformed {
                    tag: 'Z',
                    offset: 0,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(error.class(), Class::Bug);
    }
    let (_, error) = frames(b"d\x40\0\0\x04", true);
    assert!(
        matches!(
            error,
            Error::TooLong {
                bytes: 0x4000_0000,
                bytes_max: MESSAGE_BYTES_MAX,
                ..
            }
        ),
        "{error}"
    );
    let (_, error) = frames(b"R\0\x01\0\0", false);
    assert!(
        matches!(
            error,
            Error::TooLong {
                tag: 'R',
                bytes_max: 30_000,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_reading_that_is_dropped_half_way_loses_nothing() {
    use tokio::io::AsyncWriteExt;
    runtime().block_on(async {
        let (mut server, client) = tokio::io::duplex(1024);
        let mut reader = FrameReader::new(client);
        server.write_all(b"Z\0\0\0").await.unwrap();
        tokio::select! {
            biased;
            frame = reader.next("read") => panic!("{frame:?} came from half a header"),
            () = tokio::task::yield_now() => {}
        }
        server.write_all(b"\x05I").await.unwrap();
        assert_eq!(reader.next("read").await.unwrap().body, Bytes::from_static(b"I"));
    });
}

#[test]
fn a_flush_that_is_dropped_half_way_sends_the_rest_later() {
    use tokio::io::AsyncReadExt;
    runtime().block_on(async {
        let (client, mut server) = tokio::io::duplex(4);
        let mut outbox = Outbox::new(client);
        let digits = |out: &mut bytes::BytesMut| {
            out.extend_from_slice(b"0123456789");
            Ok(())
        };
        outbox.push(digits).unwrap();
        tokio::select! {
            biased;
            flushed = outbox.flush("write") => panic!("{flushed:?} into a full pipe"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(outbox.pending_bytes(), 6);
        let mut seen = [0; 10];
        let (flushed, read) = tokio::join!(outbox.flush("write"), server.read_exact(&mut seen));
        flushed.unwrap();
        read.unwrap();
        assert_eq!(&seen, b"0123456789");
    });
}

#[test]
fn a_message_that_cannot_be_encoded_leaves_nothing_behind() {
    let mut outbox = Outbox::new(tokio::io::sink());
    let error = outbox
        .push(|out| postgres_protocol::message::frontend::query("a\0b", out))
        .unwrap_err();
    assert!(matches!(error, Error::Encode { .. }));
    assert_eq!(outbox.pending_bytes(), 0);
}

#[test]
fn an_error_response_is_read_field_by_field() {
    let body = b"SFEHLER\0VERROR\0C42704\0Mslot \"x\" does not exist\0Drow values\0Htry\0qfuture\0\0";
    let error = ServerError::read(&mut Cursor::new(b'E', body)).unwrap();
    assert_eq!(
        (error.severity.as_str(), error.code.as_str(), error.hint.as_deref()),
        ("ERROR", "42704", Some("try"))
    );
    assert!(!error.to_string().contains("row values"));
    for cut in 0..body.len() {
        let failed = ServerError::read(&mut Cursor::new(b'E', &body[..cut])).unwrap_err();
        assert!(
            matches!(failed, Error::Malformed { tag: 'E', offset, .. } if offset <= cut),
            "{failed}"
        );
    }
    let longer = ServerError::read(&mut Cursor::new(b'E', b"\0x")).unwrap_err();
    assert!(matches!(longer, Error::Malformed { offset: 1, .. }), "{longer}");
}

#[test]
fn sqlstates_have_classes() {
    let class = |code: &str| {
        ServerError {
            code: code.to_owned(),
            ..ServerError::default()
        }
        .class()
    };
    for code in ["08006", "40001", "40P01", "53300", "57P01", "57P03", "55006", "55P03"] {
        assert_eq!(class(code), Class::Transient, "{code}");
    }
    for code in ["28P01", "3D000", "42601", "42704", "55000", "58P01", "XX000", ""] {
        assert_eq!(class(code), Class::Definite, "{code}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_frames_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), login in any::<bool>()) {
        let (all, _) = frames(&bytes, login);
        prop_assert!(all.iter().map(|frame| frame.body.len() + 5).sum::<usize>() <= bytes.len());
    }
}
