use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::strategies::{in_stream, message};
use crate::{InStream, Kind, Message, decode, encode};

fn any_message() -> impl Strategy<Value = (InStream, Message<'static>)> {
    in_stream().prop_flat_map(|place| (Just(place), message(place)))
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(message, &mut out).expect("any message of the strategies fits the protocol");
    out
}

/// Bytes that are a message are the bytes of that message; others are an error within them.
fn takes_or_refuses(bytes: &[u8]) -> Result<(), TestCaseError> {
    for place in [InStream::No, InStream::Yes] {
        if let Ok(message) = decode(bytes, place) {
            prop_assert_eq!(encoded(&message), bytes);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_message_reads_back((place, message) in any_message()) {
        let bytes = encoded(&message);
        prop_assert_eq!(decode(&bytes, place), Ok(message));
    }

    #[test]
    fn every_true_prefix_of_a_message_is_refused_or_a_shorter_message((place, message) in any_message()) {
        let bytes = encoded(&message);
        for end in 0..bytes.len() {
            // A stream abort without its record is the older form of it; nothing else has a shorter form.
            let shorter = matches!(message, Message::StreamAbort(_)) && end == 9;
            prop_assert_eq!(decode(&bytes[..end], place).is_ok(), shorter, "cut at {}", end);
        }
    }

    #[test]
    fn a_longer_message_is_refused((place, message) in any_message(), tail in vec(any::<u8>(), 1..20)) {
        let longer = [encoded(&message), tail].concat();
        let grows = matches!(message, Message::StreamAbort(_)) && longer.len() == 25;
        prop_assert_eq!(decode(&longer, place).is_ok(), grows);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn random_bytes_are_taken_or_refused(tag in 0..19_usize, bytes in vec(any::<u8>(), 0..80)) {
        takes_or_refuses(&bytes)?;
        let tag = Kind::all().nth(tag).expect("19 kinds").tag();
        takes_or_refuses(&[vec![tag], bytes].concat())?;
    }

    #[test]
    fn mutated_messages_are_taken_or_refused(
        (_, message) in any_message(),
        edits in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut bytes = encoded(&message);
        for (at, byte, edit) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        takes_or_refuses(&bytes)?;
    }
}
