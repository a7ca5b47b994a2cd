use bytes::Bytes;

use super::{Login, Progress};
use crate::wire::{Frame, Outbox};
use crate::{Dsn, Error};

fn request(code: i32, rest: &[u8]) -> Frame {
    let body = [&code.to_be_bytes()[..], rest].concat();
    Frame {
        tag: b'R',
        body: Bytes::from(body),
    }
}

/// Plays the requests to a client; its last answer.
fn play(keywords: &str, end_point: Option<Vec<u8>>, requests: &[Frame]) -> Result<Progress, Error> {
    let dsn: Dsn = format!("host=h user=u password=p {keywords}").parse().unwrap();
    let mut login = Login::new(&dsn, "d", end_point);
    let mut outbox = Outbox::new(tokio::io::sink());
    let mut last = Ok(Progress::Asked);
    for frame in requests {
        last = Ok(login.answer(frame, &mut outbox)?);
    }
    last
}

#[test]
fn a_server_that_breaks_off_scram_and_lets_us_in_is_refused() {
    let sasl = || request(10, b"SCRAM-SHA-256\0\0");
    assert!(matches!(
        play("", None, &[sasl(), request(0, b"")]),
        Err(Error::Unexpected { .. })
    ));
    assert!(matches!(
        play("", None, &[sasl(), request(12, b"v=AAAA")]),
        Err(Error::Scram { .. })
    ));
    assert!(matches!(
        play("", None, &[sasl(), request(3, b"")]),
        Err(Error::Unexpected { .. })
    ));
}

#[test]
fn required_channel_binding_is_not_given_away() {
    let require = "channel_binding=require";
    let (plain, plus) = (b"SCRAM-SHA-256\0\0", b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
    for frames in [
        vec![request(0, b"")],
        vec![request(3, b"")],
        vec![request(5, b"salt")],
        vec![request(10, plain)],
    ] {
        assert!(
            matches!(play(require, Some(vec![1]), &frames), Err(Error::ChannelBinding)),
            "{frames:?}"
        );
    }
    assert!(matches!(
        play(require, None, &[request(10, plus)]),
        Err(Error::ChannelBinding)
    ));
    assert_eq!(
        play(require, Some(vec![1]), &[request(10, plus)]).unwrap(),
        Progress::Asked
    );
}

#[test]
fn unknown_methods_are_named() {
    match play("", None, &[request(10, b"OAUTHBEARER\0\0")]) {
        Err(Error::AuthMethod { method }) => assert_eq!(method, "OAUTHBEARER"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        play("", None, &[request(7, b"")]),
        Err(Error::AuthMethod { .. })
    ));
    assert!(matches!(
        play("", None, &[request(99, b"")]),
        Err(Error::Unexpected { .. })
    ));
}

#[test]
fn cut_requests_are_malformed_at_their_offset() {
    let at = |frame: Frame| match play("", None, &[frame]) {
        Err(Error::Malformed { tag: 'R', offset, .. }) => offset,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        at(Frame {
            tag: b'R',
            body: Bytes::from_static(b"\0\0")
        }),
        0
    );
    assert_eq!(at(request(5, b"sal")), 4);
    assert_eq!(at(request(10, b"SCRAM")), 4);
    assert_eq!(at(request(10, b"SCRAM\0")), 10);
    assert_eq!(at(request(0, b"x")), 4);
}
