use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

fn columns() -> impl Strategy<Value = ColumnSet> {
    let some = btree_set(0_u16..1600, 0..5);
    some.prop_map(|columns| columns.into_iter().map(ColumnId).collect())
}

fn an_entry() -> impl Strategy<Value = Entry> {
    let existence = prop_oneof![Just(Existence::Live), Just(Existence::Dead), Just(Existence::Overruled)];
    let carried = prop_oneof![columns().prop_map(Carried::AllBut), columns().prop_map(Carried::Only)];
    let author = (any::<u64>(), any::<u8>(), any::<u64>(), any::<u32>());
    let author = author.prop_map(|(hlc, origin, lsn, epoch)| Author {
        hlc: Hlc(hlc),
        origin: OriginIndex(origin),
        lsn: Lsn(lsn),
        epoch: Epoch(epoch),
    });
    let counts = prop_oneof![Just(Counts::Nothing), Just(Counts::Adds), Just(Counts::Inserts)];
    (author, existence, carried, counts).prop_map(|(author, existence, carried, counts)| {
        let mut entry = Entry::new(author, existence, carried);
        entry.set_counts(counts);
        entry
    })
}

fn registers() -> impl Strategy<Value = Register> {
    (vec(an_entry(), 0..6), any::<u32>()).prop_map(|(entries, truncates)| Register {
        entries: entries.into(),
        truncates,
    })
}

proptest! {
    #[test]
    fn a_register_comes_back_as_it_went(register in registers()) {
        let mut bytes = Vec::new();
        register.encode(&mut bytes);
        prop_assert_eq!(Register::decode(&bytes), Some(register));
    }

    #[test]
    fn bytes_that_are_cut_off_or_too_many_are_no_register(register in registers(), at in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        register.encode(&mut bytes);
        prop_assert_eq!(Register::decode(&bytes[..at.index(bytes.len())]), None);
        bytes.push(0);
        prop_assert_eq!(Register::decode(&bytes), None);
    }
}

#[test]
fn a_register_with_one_write_takes_28_bytes() {
    let author = Author {
        hlc: Hlc(1),
        origin: OriginIndex(0),
        lsn: Lsn(2),
        epoch: Epoch(0),
    };
    let register = Register {
        entries: SmallVec::from_elem(Entry::new(author, Existence::Live, Carried::ALL), 1),
        truncates: 0,
    };
    let mut bytes = Vec::new();
    register.encode(&mut bytes);
    assert_eq!(bytes.len(), 28);
}
