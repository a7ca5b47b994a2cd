use proptest::prelude::*;

use super::*;

fn encode(frames: &[Frame]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|f| [f.header().unwrap().to_vec(), f.payload.to_vec()].concat())
        .collect()
}

fn decode(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::default();
    decoder.buffer().extend_from_slice(bytes);
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame()? {
        frames.push(frame);
    }
    Ok(frames)
}

fn frames() -> impl Strategy<Value = Frame> {
    let bytes = prop::collection::vec(any::<u8>(), 0..3000).prop_map(Bytes::from);
    prop_oneof![
        bytes.clone().prop_map(|payload| Frame::plain(Kind::Heartbeat, payload)),
        (bytes.clone(), 0u8..4).prop_map(|(payload, flags)| Frame {
            kind: Kind::Block,
            flags: Flags(flags),
            stream: 0,
            payload
        }),
        (bytes, 1..u32::MAX).prop_map(|(payload, stream)| Frame {
            kind: Kind::Response,
            flags: Flags::LAST,
            stream,
            payload
        }),
        (any::<u32>(), any::<u64>()).prop_map(|(stream, number)| Frame::number(Kind::Credit, stream, number)),
        Just(Frame::plain(Kind::Goodbye, Bytes::new())),
    ]
}

proptest! {
    #[test]
    fn frames_survive_any_chunking(sent in prop::collection::vec(frames(), 0..12), cuts in prop::collection::vec(1usize..900, 1..40)) {
        let bytes = encode(&sent);
        let (mut rest, mut decoder, mut got) = (bytes.as_slice(), Decoder::default(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (chunk, after) = rest.split_at((*cut).min(rest.len()));
            rest = after;
            decoder.buffer().extend_from_slice(chunk);
            while let Some(frame) = decoder.next_frame().unwrap() { got.push(frame) }
        }
        prop_assert_eq!(got, sent);
        prop_assert!(!decoder.is_within_frame());
    }

    #[test]
    fn one_flipped_bit_is_an_error_at_its_frame(payload in prop::collection::vec(any::<u8>(), 0..2000), place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let first = Frame::plain(Kind::Ack, Bytes::from_static(b"sound"));
        let offset = encode(std::slice::from_ref(&first)).len();
        let mut bytes = encode(&[first, Frame::plain(Kind::Heartbeat, payload.into())]);
        let at = offset + place.index(bytes.len() - offset);
        bytes[at] ^= 1 << bit;
        // A longer length is found out when that many bytes are there.
        bytes.resize(bytes.len() + SMALL_MAX, 0);
        prop_assert_eq!(decode(&bytes).unwrap_err().offset, offset as u64);
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frames) = decode(&bytes) {
            prop_assert!(bytes.starts_with(&encode(&frames)));
        }
    }
}

fn fault_of(header: [u8; HEADER]) -> Fault {
    let error = decode(&header).unwrap_err();
    assert_eq!(error.offset, 0);
    error.fault
}

#[test]
fn each_fault_of_a_header_has_its_name() {
    let good = Frame::number(Kind::Ping, 0, 7).header().unwrap();
    let with = |index: usize, byte: u8| {
        let mut header = good;
        header[index] = byte;
        fault_of(header)
    };
    assert_eq!(with(4, 0), Fault::Kind(0));
    assert_eq!(with(4, 16), Fault::Kind(16));
    assert_eq!(
        with(5, 1),
        Fault::Flags {
            kind: Kind::Ping,
            flags: 1
        }
    );
    assert_eq!(with(6, 1), Fault::Reserved(1));
    assert_eq!(
        with(0, 9),
        Fault::Length {
            kind: Kind::Ping,
            length: 9,
            min: 8,
            max: 8
        }
    );
    assert_eq!(
        with(8, 1),
        Fault::Stream {
            kind: Kind::Ping,
            stream: 1
        }
    );
    let mut huge = Frame::plain(Kind::Block, Bytes::new()).header().unwrap();
    huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        fault_of(huge),
        Fault::Length {
            length: u32::MAX,
            max: PAYLOAD_MAX,
            ..
        }
    ));
}

#[test]
fn a_frame_that_breaks_the_rules_is_not_written() {
    let too_long = Frame::plain(Kind::Ack, vec![0; SMALL_MAX + 1].into());
    assert!(matches!(too_long.header(), Err(Fault::Length { .. })));
    assert!(matches!(
        Frame::number(Kind::Request, 0, 1).header(),
        Err(Fault::Stream { .. })
    ));
}

#[test]
fn pieces_out_of_order_or_beyond_the_limit_are_refused() {
    let piece = Bytes::from_static(b"12345");
    let mut assembly = Assembly::default();
    assert!(assembly.push(Flags::NONE, piece.clone(), 100).is_err());
    assert_eq!(assembly.push(Flags::FIRST, piece.clone(), 100), Ok(None));
    assert!(assembly.push(Flags::FIRST, piece.clone(), 100).is_err());
    let mut assembly = Assembly::default();
    assert_eq!(assembly.push(Flags::FIRST, piece.clone(), 9), Ok(None));
    assert!(assembly.push(Flags::LAST, piece, 9).is_err());
}

#[test]
fn pieces_come_together_again() {
    for length in [
        0,
        1,
        PAYLOAD_MAX - 1,
        PAYLOAD_MAX,
        PAYLOAD_MAX + 1,
        2 * PAYLOAD_MAX,
        3 * PAYLOAD_MAX + 1,
    ] {
        let whole: Bytes = (0..length)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect::<Vec<_>>()
            .into();
        let (mut assembly, mut done) = (Assembly::default(), None);
        for (flags, piece) in Pieces::of(whole.clone()) {
            assert!(done.is_none() && piece.len() <= PAYLOAD_MAX);
            done = assembly.push(flags, piece, 4 * PAYLOAD_MAX).unwrap();
        }
        assert_eq!(done.unwrap(), whole);
    }
}
