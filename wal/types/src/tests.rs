use proptest::prelude::*;

use crate::{Lsn, PgTimestamp, SlotName};

proptest! {
    #[test]
    fn the_text_of_a_position_reads_back(position in any::<u64>()) {
        prop_assert_eq!(Lsn(position).to_string().parse(), Ok(Lsn(position)));
    }

    #[test]
    fn a_unix_time_reads_back(micros in -1_000_000_000_000_000_i64..4_000_000_000_000_000) {
        prop_assert_eq!(PgTimestamp::from_unix_micros(micros).unix_micros(), micros);
    }
}

#[test]
fn a_position_prints_as_postgresql_prints_it() {
    assert_eq!(Lsn(0x16_B374_D848).to_string(), "16/B374D848");
    assert_eq!(Lsn::ZERO.to_string(), "0/0");
}

#[test]
fn malformed_positions_are_refused() {
    for text in ["", "/", "1", "1/", "/1", "1/2/3", "g/1", "+1/1", "123456789/0", " 1/1"] {
        assert!(text.parse::<Lsn>().is_err(), "{text:?} was taken");
    }
}

#[test]
fn slot_names_are_those_postgresql_takes() {
    assert!("synapse_n1".parse::<SlotName>().is_ok());
    for text in ["", "Synapse", "a-b", "a b", &"a".repeat(64)] {
        assert!(text.parse::<SlotName>().is_err(), "{text:?} was taken");
    }
}
