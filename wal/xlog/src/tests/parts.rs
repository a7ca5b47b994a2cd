//! Every optional part of commits and aborts, alone and together.

use proptest::prelude::*;
use synapse_wal_types::{Lsn, Oid, PgTimestamp, Xid};

use super::contents::{read, read_all};
use super::spec::{RELATION, RecordSpec};
use crate::transaction::{Completion, DroppedStatistics, OriginPosition, Transaction};
use crate::{Error, Fault, RelFileLocator, Rmgr, Version};

#[derive(Clone, Debug)]
struct Parts {
    version: Version,
    operation: u8,
    database: bool,
    subtransactions: Option<Vec<u32>>,
    relations: Option<u32>,
    statistics: Option<u32>,
    invalidations: Option<usize>,
    prepared: Option<Option<Vec<u8>>>,
    origin: bool,
    flags: u32,
}

fn parts() -> impl Strategy<Value = Parts> {
    let lists = (
        prop::option::of(prop::collection::vec(any::<u32>(), 0..5)),
        prop::option::of(0..4u32),
        prop::option::of(0..4u32),
        prop::option::of(0..4usize),
    );
    let identifier = prop::option::of(prop::collection::vec(1..=255u8, 0..30));
    let kind = (
        14..=18u32,
        prop::sample::select(vec![0x00u8, 0x20, 0x30, 0x40]),
        any::<bool>(),
    );
    (kind, lists, prop::option::of(identifier), any::<bool>(), 0..8u32).prop_map(
        |(
            (major, operation, database),
            (subtransactions, relations, statistics, invalidations),
            prepared,
            origin,
            flags,
        )| {
            let version = Version::from_major(major).unwrap();
            Parts {
                version,
                operation,
                database,
                subtransactions,
                relations,
                statistics: statistics.filter(|_| version >= Version::V15),
                invalidations,
                prepared,
                origin,
                flags: flags << 29,
            }
        },
    )
}

fn relation(number: u32) -> RelFileLocator {
    RelFileLocator {
        number: Oid(number),
        ..RELATION
    }
}

impl Parts {
    fn encode(&self) -> RecordSpec {
        let mut main = PgTimestamp(12_345).0.to_le_bytes().to_vec();
        let mut bits = self.flags;
        let mut add = |bit: u32, bytes: Vec<u8>| {
            bits |= 1 << bit;
            bytes
        };
        let mut tail = Vec::new();
        if self.database {
            tail.extend(add(0, [5u32.to_le_bytes(), 1663u32.to_le_bytes()].concat()));
        }
        let counted = |count: usize, items: Vec<u8>| [(count as u32).to_le_bytes().to_vec(), items].concat();
        if let Some(xids) = &self.subtransactions {
            tail.extend(add(
                1,
                counted(xids.len(), xids.iter().flat_map(|xid| xid.to_le_bytes()).collect()),
            ));
        }
        if let Some(count) = self.relations {
            let words = (0..count).flat_map(|number| [1663, 5, number]);
            tail.extend(add(
                2,
                counted(count as usize, words.flat_map(u32::to_le_bytes).collect()),
            ));
        }
        if let Some(count) = self.statistics {
            let high: &[u32] = if self.version == Version::V18 { &[1] } else { &[] };
            let words = (0..count).flat_map(|number| [2, 5, number].into_iter().chain(high.iter().copied()));
            tail.extend(add(
                8,
                counted(count as usize, words.flat_map(u32::to_le_bytes).collect()),
            ));
        }
        if let Some(count) = self.invalidations {
            tail.extend(add(3, counted(count, vec![7; count * 16])));
        }
        if let Some(identifier) = &self.prepared {
            tail.extend(add(4, 4_711u32.to_le_bytes().to_vec()));
            if let Some(identifier) = identifier {
                tail.extend(add(7, [identifier.as_slice(), b"\0"].concat()));
            }
        }
        if self.origin {
            tail.extend(add(5, [0x1_0000_0002u64.to_le_bytes(), 99u64.to_le_bytes()].concat()));
        }
        let has_parts = if bits == 0 { 0 } else { 0x80 };
        if bits != 0 {
            main.extend(bits.to_le_bytes());
        }
        main.extend(tail);
        RecordSpec {
            xid: 17,
            ..RecordSpec::new(Rmgr::TRANSACTION, self.operation | has_parts, &main)
        }
    }

    fn check(&self, end: &Completion<'_>) {
        assert_eq!(end.time, PgTimestamp(12_345));
        assert_eq!(end.xid, Xid(if self.prepared.is_some() { 4_711 } else { 17 }));
        assert_eq!(
            end.database.map(|place| (place.database.0, place.tablespace.0)),
            self.database.then_some((5, 1663))
        );
        let xids: Vec<u32> = end.subtransactions.iter().map(|xid| xid.0).collect();
        assert_eq!(xids, self.subtransactions.clone().unwrap_or_default());
        let relations: Vec<_> = (0..self.relations.unwrap_or(0)).map(relation).collect();
        assert_eq!(end.relations.iter().collect::<Vec<_>>(), relations);
        let high = if self.version == Version::V18 { 1 << 32 } else { 0 };
        let statistics = (0..self.statistics.unwrap_or(0)).map(|number| DroppedStatistics {
            kind: 2,
            database: 5,
            object: high + u64::from(number),
        });
        assert_eq!(
            end.statistics.iter().collect::<Vec<_>>(),
            statistics.collect::<Vec<_>>()
        );
        assert_eq!(end.invalidations, self.invalidations.unwrap_or(0));
        let identifier = end.prepared.map(|prepared| prepared.identifier.map(<[u8]>::to_vec));
        assert_eq!(identifier, self.prepared);
        let origin = OriginPosition {
            lsn: Lsn(0x1_0000_0002),
            time: PgTimestamp(99),
        };
        assert_eq!(end.origin, self.origin.then_some(origin));
        let flags = [
            end.wants_apply_feedback,
            end.invalidates_relcache_file,
            end.is_forced_synchronous,
        ];
        assert_eq!(flags, [29, 30, 31].map(|bit| self.flags >> bit & 1 == 1));
    }
}

fn end(version: Version, spec: &RecordSpec) -> Result<(), Error> {
    read(version, spec, |record| Transaction::read(record).map(|_| ()))
}

proptest! {
    #[test]
    fn every_part_is_read_and_nothing_beside(parts in parts()) {
        let spec = parts.encode();
        read(parts.version, &spec, |record| {
            let told = Transaction::read(record).unwrap().unwrap();
            let (Transaction::Committed(end) | Transaction::Aborted(end)) = told else { panic!("{told:?}") };
            assert_eq!(matches!(told, Transaction::Committed(_)), matches!(parts.operation, 0x00 | 0x30));
            parts.check(&end);
        });
        // One byte more, and every byte less.
        let mut longer = spec.clone();
        longer.main.push(0);
        let fault = end(parts.version, &longer).unwrap_err().fault;
        prop_assert!(matches!(fault, Fault::Trailing { left: 1, .. }), "{}", fault);
        for length in 0..spec.main.len() {
            let mut shorter = spec.clone();
            shorter.main.truncate(length);
            let fault = end(parts.version, &shorter).unwrap_err().fault;
            prop_assert!(matches!(fault, Fault::Short { .. }), "{length}: {}", fault);
        }
    }
}

#[test]
fn a_part_that_the_version_does_not_have_is_an_error() {
    for (version, bit, is_known) in [
        (Version::V14, 8, false),
        (Version::V15, 8, true),
        (Version::V18, 8, true),
        (Version::V18, 9, false),
        (Version::V18, 28, false),
        (Version::V18, 6, true),
    ] {
        let mut main = vec![0; 8];
        main.extend((1u32 << bit).to_le_bytes());
        if bit == 8 {
            main.extend([0; 4]);
        }
        let result = end(version, &RecordSpec::new(Rmgr::TRANSACTION, 0x80, &main));
        assert_eq!(result.is_ok(), is_known, "{version} bit {bit}: {result:?}");
    }
}

#[test]
fn a_count_that_lies_is_an_error() {
    for count in [-1, i32::MIN, i32::MAX, 2] {
        let mut main = vec![0; 8];
        main.extend(2u32.to_le_bytes());
        main.extend(count.to_le_bytes());
        main.extend(5u32.to_le_bytes());
        let error = end(Version::V15, &RecordSpec::new(Rmgr::TRANSACTION, 0x80, &main)).unwrap_err();
        let is_negative = matches!(error.fault, Fault::Field { found, .. } if found == i64::from(count));
        let is_short = matches!(error.fault, Fault::Short { left: 4, .. });
        assert_eq!((is_negative, is_short), (count < 0, count > 0), "{error}");
    }
}

#[test]
fn assignments_and_invalidations_are_read() {
    let words = [9u32, 2, 10, 11];
    let main: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    let text = read_all(Version::V16, &RecordSpec::new(Rmgr::TRANSACTION, 0x50, &main));
    assert_eq!(text, "Assigned { top: Xid(9), subtransactions: [Xid(10), Xid(11)] }");
    let mut main = 2u32.to_le_bytes().to_vec();
    main.extend([0; 32]);
    let text = read_all(Version::V16, &RecordSpec::new(Rmgr::TRANSACTION, 0x60, &main));
    assert_eq!(text, "Invalidated { messages: 2 }");
    let error = end(Version::V16, &RecordSpec::new(Rmgr::TRANSACTION, 0x70, &main)).unwrap_err();
    assert!(matches!(error.fault, Fault::Field { found: 0x70, .. }), "{error}");
}
