//! Bytes that nobody wrote: no panic, no endless loop, no memory beyond what was given.

use proptest::prelude::*;
use synapse_wal_types::Lsn;

use super::spec::{RecordSpec, raw, seal};
use super::writer::Writer;
use crate::blocks::changes;
use crate::control::Control;
use crate::storage::Storage;
use crate::transaction::Transaction;
use crate::{Event, Reader, Record, Stats, Version};

/// Asks everything of a record that can be asked.
fn ask(record: &Record<'_>, stats: &mut Stats) {
    stats.count(record);
    let mut blocks = 0;
    for named in record.block_refs() {
        blocks += named.data.len() + named.image.map_or(0, |image| image.bytes.len());
    }
    assert!(blocks + record.main_data().len() + 24 <= record.bytes().len());
    assert!(record.next.0 >= record.lsn.0 + record.bytes().len() as u64);
    // Contents may be wrong, and are an error then.
    let mut told = 0;
    let ends = changes(record, |_| told += 1).is_ok();
    let whole = Control::read(record).is_ok() && Storage::read(record).is_ok();
    if let Ok(Some(transaction)) = Transaction::read(record) {
        assert!(format!("{transaction:?}").len() < 100 * record.bytes().len() + 1_000);
    }
    assert!(told <= 3 * record.bytes().len() || !ends || !whole);
}

/// Reads to the end or to the first error. Each poll but the last takes bytes or tells what it found in them.
fn survive(mut reader: Reader, bytes: &[u8], piece: usize) {
    let (mut polls, mut fed, mut stats) = (0, 0, Stats::new());
    for piece in bytes.chunks(piece) {
        let mut feed = reader.feed(piece);
        loop {
            polls += 1;
            match feed.poll() {
                Ok(Some(Event::Record(record))) => ask(&record, &mut stats),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    assert!(error.judged_to >= error.lsn && !error.to_string().is_empty());
                    return;
                }
            }
        }
        fed += piece.len();
        assert!(
            polls <= fed / 8 + bytes.len().div_ceil(piece.len()) + 8,
            "{polls} polls for {fed} bytes"
        );
        assert!(
            reader.held_bytes() <= 2 * fed + 64,
            "{} bytes for {fed}",
            reader.held_bytes()
        );
    }
}

#[derive(Clone, Debug)]
enum Mutation {
    Flip(prop::sample::Index, u8),
    Set(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Cut(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        6 => (at(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        4 => (at(), prop::collection::vec(prop_oneof![Just(0), Just(255), any::<u8>()], 1..9))
            .prop_map(|(at, bytes)| Mutation::Set(at, bytes)),
        1 => (at(), 1..9_000usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        1 => (at(), 1..9_000usize).prop_map(|(at, count)| Mutation::Repeat(at, count)),
        1 => at().prop_map(Mutation::Cut),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    let within = |at: &prop::sample::Index, count: usize| {
        let start = at.index(length);
        start..(start + count).min(length)
    };
    match mutation {
        Mutation::Flip(at, bit) => {
            let at = within(at, 1).start;
            bytes[at] ^= 1 << bit;
        }
        Mutation::Set(at, values) => {
            let range = within(at, values.len());
            bytes[range.clone()].copy_from_slice(&values[..range.len()]);
        }
        Mutation::Remove(at, count) => drop(bytes.drain(within(at, *count))),
        Mutation::Repeat(at, count) => {
            let range = within(at, *count);
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.start..range.start, copy);
        }
        Mutation::Cut(at) => bytes.truncate(at.index(length)),
    }
}

/// Bodies that come near to making sense: fragment ids and small numbers are frequent.
fn body() -> impl Strategy<Value = Vec<u8>> {
    const FREQUENT: [u8; 6] = [0x10, 0x20, 0x30, 0x80, 0x90, 0xB0];
    let likely = |byte: u8| match byte {
        0..80 => byte % 4,
        80..160 => 252 + byte % 4,
        160..208 => FREQUENT[usize::from(byte % 6)],
        208.. => byte.wrapping_mul(5),
    };
    let bytes = prop::collection::vec(any::<u8>(), 0..400);
    bytes.prop_map(move |bytes| bytes.into_iter().map(likely).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_wal_is_survived(
        sizes in prop::collection::vec(prop_oneof![4 => 26..400usize, 1 => 281..20_000usize], 1..20),
        mutations in prop::collection::vec(mutation(), 1..5),
        piece in prop_oneof![1..64usize, 64..30_000usize],
        major in 14..=18u32,
    ) {
        let mut writer = Writer::new(Version::from_major(major).unwrap());
        for (seed, size) in sizes.into_iter().enumerate() {
            writer.record(&RecordSpec::sized(size, seed as u8));
        }
        let mut bytes = writer.bytes.clone();
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        survive(writer.reader(), &bytes, piece);
        let inside = Reader::at_record(Lsn(writer.start.0 + 64), writer.size, writer.version).unwrap();
        survive(inside, &bytes, piece);
    }

    #[test]
    fn records_that_only_their_crc_vouches_for_are_survived(
        body in body(),
        rmgr in prop_oneof![0..22u8, Just(1u8), Just(2), Just(4), Just(9), Just(10), 128..=255u8],
        info in any::<u8>(),
        major in 14..=18u32,
    ) {
        let version = Version::from_major(major).unwrap();
        let mut writer = Writer::new(version);
        writer.whole(&raw(rmgr, info, 7, writer.previous, &body));
        writer.record(&RecordSpec::sized(100, 1));
        survive(writer.reader(), &writer.bytes, usize::MAX);
        // The same bytes as well-formed main data, so that those who read contents see them.
        let mut writer = Writer::new(version);
        let spec = RecordSpec { rmgr: if version == Version::V14 { rmgr % 22 } else { rmgr }, info, main: body, ..RecordSpec::default() };
        let block = super::spec::BlockSpec::of(0, super::spec::RELATION, 0, 40_000);
        let mut bytes = spec.block(block).encode(writer.previous);
        seal(&mut bytes);
        writer.whole(&bytes);
        survive(writer.reader(), &writer.bytes, usize::MAX);
    }
}
