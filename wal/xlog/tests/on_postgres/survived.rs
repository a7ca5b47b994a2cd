//! Real segments, damaged: the same damage at each run.

use synapse_wal_types::Lsn;
use synapse_wal_xlog::blocks::changes;
use synapse_wal_xlog::control::Control;
use synapse_wal_xlog::storage::Storage;
use synapse_wal_xlog::transaction::Transaction;
use synapse_wal_xlog::{Event, Reader, Record, SegmentName};

use crate::server::Server;

/// How often each segment is damaged and read.
const CASES: u64 = 6;

/// Numbers that look random (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// What was read up to the first error: place, length and checksum of each record.
fn read(segment: SegmentName, bytes: &[u8], piece: usize) -> Vec<(Lsn, u32, u32)> {
    let mut reader = Reader::at_page(segment.start(), segment.size).unwrap();
    let (mut records, mut polls) = (Vec::new(), 0);
    for piece in bytes.chunks(piece) {
        let mut feed = reader.feed(piece);
        loop {
            polls += 1;
            match feed.poll() {
                Ok(Some(Event::Record(record))) => {
                    ask(&record);
                    records.push((record.lsn, record.total_bytes(), record.crc()));
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    assert!(error.lsn >= segment.start() && error.lsn <= segment.end());
                    return records;
                }
            }
        }
    }
    assert!(polls <= bytes.len() / 24 + bytes.len() / piece + 3);
    records
}

/// Real records can be read to their last field.
fn ask(record: &Record<'_>) {
    Control::read(record).unwrap();
    Storage::read(record).unwrap();
    Transaction::read(record).unwrap();
    changes(record, |_| {}).unwrap();
    let blocks: usize = record.block_refs().map(|block| block.data.len()).sum();
    assert!(blocks < record.bytes().len());
}

fn damage(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    let end = (at + 1 + numbers.below(20_000)).min(bytes.len());
    match numbers.below(8) {
        0..4 => bytes[at] ^= 1 << numbers.below(8),
        4 => bytes[at..end].fill(0),
        5 => drop(bytes.drain(at..end)),
        6 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => {
            // Another page of the same segment, or what looks like one.
            let (from, to) = (at / 8192 * 8192, numbers.below(bytes.len()) / 8192 * 8192);
            let length = (bytes.len() - from.max(to)).min(8192);
            bytes.copy_within(from..from + length, to);
        }
    }
}

/// Whatever is done to a segment, what is still read of it is what the server wrote.
pub(crate) fn damaged_segments_never_tell_what_was_not_written(server: &Server, segments: &[SegmentName]) {
    let (mut cases, mut noticed) = (0, 0);
    for segment in segments {
        let whole = server.read(*segment);
        let written = read(*segment, &whole, usize::MAX);
        for case in 0..CASES {
            let mut numbers = Numbers(segment.number.0 << 32 | case);
            let mut bytes = whole.clone();
            for _ in 0..=numbers.below(3) {
                damage(&mut bytes, &mut numbers);
            }
            let told = read(*segment, &bytes, 1 + numbers.below(100_000));
            assert!(written.starts_with(&told), "{segment}, case {case}");
            cases += 1;
            noticed += u32::from(told.len() < written.len());
        }
    }
    println!("{cases} damaged segments, {noticed} of them cut short by it");
    assert!(noticed > cases / 2);
}
