use proptest::prelude::*;
use synapse_engine_change::Part;
use synapse_engine_identity::Hlc;
use synapse_wal_types::Lsn;

use crate::samples::{encoded, origin};
use crate::{BlockHeader, Error, Kind, verify};

fn header() -> BlockHeader {
    BlockHeader {
        kind: Kind::Transactions,
        origin: origin("n1"),
        first: Lsn(5),
        last: Lsn(9),
        last_hlc: Hlc(77),
        part: Part::Whole,
        transactions: 3,
        raw_bytes: 400,
        stored_bytes: 100,
        compressed: true,
    }
}

#[test]
fn a_header_that_contradicts_itself_is_refused() {
    let wrong = [
        BlockHeader {
            first: Lsn(10),
            ..header()
        },
        BlockHeader {
            transactions: 0,
            ..header()
        },
        BlockHeader {
            part: Part::Middle(0),
            ..header()
        },
        BlockHeader {
            kind: Kind::Mark,
            ..header()
        },
        BlockHeader {
            kind: Kind::Progress,
            ..header()
        },
        BlockHeader {
            kind: Kind::Blank,
            ..header()
        },
        BlockHeader {
            stored_bytes: 401,
            ..header()
        },
        BlockHeader {
            compressed: false,
            ..header()
        },
        BlockHeader {
            raw_bytes: crate::RAW_BYTES_MAX + 1,
            ..header()
        },
    ];
    for header in wrong {
        assert!(BlockHeader::parse(&header.to_bytes()).is_err(), "{header:?} was taken");
    }
}

#[test]
fn a_newer_version_is_refused_by_its_number() {
    let mut bytes = encoded(&[1]).bytes().to_vec();
    bytes[4] = 9;
    assert!(matches!(
        verify(&bytes),
        Err(Error::UnknownVersion {
            version: 9,
            known: 1,
            ..
        })
    ));
}

#[test]
fn a_block_is_a_multiple_of_sixteen_bytes() {
    for lsns in [&[1][..], &[1, 2], &[1, 2, 3, 4, 5]] {
        assert_eq!(encoded(lsns).bytes().len() % crate::ALIGNMENT, 0);
    }
}

proptest! {
    #[test]
    fn a_header_reads_back(lsn: u64, more in 0_u64..9, hlc: u64, part in 0_u32..3, number in 1_u32.., count in 1_u32.., raw in 2_u32..crate::RAW_BYTES_MAX) {
        let whole = part == 0;
        let first = Lsn(lsn.saturating_sub(more));
        let written = BlockHeader {
            first: if whole { first } else { Lsn(lsn) },
            last: Lsn(lsn),
            last_hlc: Hlc(hlc),
            part: [Part::Whole, Part::Middle(number - 1), Part::Last(number)][part as usize],
            transactions: if whole { count } else { 1 },
            raw_bytes: raw,
            stored_bytes: raw - 1,
            ..header()
        };
        prop_assert_eq!(BlockHeader::parse(&written.to_bytes()).unwrap(), written);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(verify(&bytes).is_err());
    }
}
