use std::path::PathBuf;

use synapse_wal_types::Lsn;

use crate::samples::{encoded, origin, parts};
use crate::{EncodedBlock, Error, Held, Log};

/// A log of small segments.
fn log(dir: &tempfile::TempDir) -> Log {
    let log = Log::open(dir.path(), origin("n1"), segment_bytes()).unwrap();
    for lsn in 1..11 {
        log.append(&encoded(&[lsn])).unwrap();
        log.sync().unwrap();
    }
    log
}

fn damage(path: &PathBuf, at: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 4;
    std::fs::write(path, bytes).unwrap();
}

fn place(error: Error) -> (PathBuf, u64, Lsn) {
    let Error::Damaged {
        path, offset, after, ..
    } = error
    else {
        panic!("{error}")
    };
    (path, offset, after)
}

/// A peer that has all there is.
const ALL: Held = Held {
    begin: Lsn(0),
    end: Lsn(u64::MAX),
};

/// Of a segment that holds two blocks, and no third.
fn segment_bytes() -> u64 {
    5 * encoded(&[1]).bytes().len() as u64 / 2
}

fn open(dir: &tempfile::TempDir) -> Log {
    Log::open(dir.path(), origin("n1"), segment_bytes()).unwrap()
}

fn all(log: &Log) -> Vec<EncodedBlock> {
    let mut reader = log.read_after(Lsn(0)).unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        blocks.push(block);
    }
    blocks
}

fn singles(lsns: std::ops::Range<u64>) -> Vec<EncodedBlock> {
    lsns.map(|lsn| encoded(&[lsn])).collect()
}

#[test]
fn a_reader_goes_on_after_a_damaged_block_was_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(&dir);
    let first = dir.path().join("0000000000000001.log");
    damage(&first, 64 + 85);
    let mut reader = log.read_after(Lsn(0)).unwrap();
    let (path, offset, after) = place(reader.next_block().unwrap_err());
    assert_eq!((&path, offset, after), (&first, 64, Lsn(0)));
    let found = log.damage(&path).unwrap().unwrap();
    assert_eq!((found.offset(), found.after(), found.until()), (64, Lsn(0), Lsn(2)));
    found.repair(&singles(1..4), ALL).unwrap();
    for lsn in 1..11 {
        assert_eq!(reader.next_block().unwrap(), Some(encoded(&[lsn])));
    }
    assert!(log.damage(&path).unwrap().is_none());
}

#[test]
fn a_damaged_log_opens_at_its_end_and_is_as_before_once_it_is_repaired() {
    for (last, byte) in [(false, 64), (false, 64 + 69), (true, 64 + 69), (true, 64 + 85)] {
        let dir = tempfile::tempdir().unwrap();
        drop(log(&dir));
        let mut files: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let path = if last { files.pop().unwrap() } else { files.remove(0) };
        let before = std::fs::read(&path).unwrap();
        damage(&path, byte);
        let log = open(&dir);
        assert_eq!(log.end(), Lsn(10));
        assert_eq!((&log.damaged()[0].path, log.damaged()[0].offset), (&path, 64));
        let found = log.damage(&path).unwrap().unwrap();
        found.repair(&singles(found.after().0 + 1..11), ALL).unwrap();
        assert!(std::fs::read(&path).unwrap().starts_with(&before));
        assert_eq!((all(&log), all(&open(&dir))), (singles(1..11), singles(1..11)));
        assert!(open(&dir).damaged().is_empty());
    }
}

#[test]
fn what_does_not_fit_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(&dir);
    let path = dir.path().join("0000000000000001.log");
    assert!(log.damage(&path).unwrap().is_none());
    damage(&path, 64 + 85);
    let before = std::fs::read(&path).unwrap();
    let found = log.damage(&path).unwrap().unwrap();
    let short = Held {
        begin: Lsn(0),
        end: Lsn(1),
    };
    let mut foreign = crate::samples::block(&[1]);
    foreign.origin = origin("n2");
    let foreign = crate::encode_block(&foreign).unwrap();
    for (blocks, held) in [(vec![], short), (vec![encoded(&[2])], short), (vec![foreign], ALL)] {
        let refused = found.repair(&blocks, held);
        assert!(matches!(refused, Err(Error::Unfit { .. })), "{blocks:?}: {refused:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    // It is as long as what was damaged: more of the peer's log need not be known.
    found.repair(&singles(1..2), short).unwrap();
}

#[test]
fn neighbours_that_are_both_damaged_are_repaired_together() {
    for byte in [85, 3] {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
        for lsn in 1..4 {
            log.append(&encoded(&[lsn])).unwrap();
        }
        let path = dir.path().join("0000000000000001.log");
        let before = std::fs::read(&path).unwrap();
        damage(&path, 64 + byte);
        damage(&path, 64 + encoded(&[1]).bytes().len() as u64);
        while let Some(found) = log.damage(&path).unwrap() {
            assert_eq!(found.until(), Lsn(3));
            found.repair(&singles(1..4), ALL).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[test]
fn whole_sectors_of_blocks_marks_and_progress_items_are_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
    for lsn in 1..30 {
        log.append(&encoded(&[lsn])).unwrap();
        log.append_progress(Lsn(lsn), &[7; 30]).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let path = dir.path().join("0000000000000001.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[512..1536].fill(0);
    bytes[2048..2560].fill(0xff);
    std::fs::write(&path, &bytes).unwrap();
    let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
    assert_eq!(
        (log.damaged().len(), log.end(), log.progress_lost()),
        (2, Lsn(29), None)
    );
    for _ in 0..2 {
        let found = log.damage(&path).unwrap().unwrap();
        found.repair(&singles(1..30), ALL).unwrap();
    }
    assert_eq!(all(&log), singles(1..30));
    let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
    assert_eq!(
        (log.damaged().len(), log.last_progress().unwrap().unwrap().lsn),
        (0, Lsn(29))
    );
}

#[test]
fn a_damaged_progress_item_needs_no_peer_and_is_missed_only_if_it_was_the_last() {
    for last in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
        let mut place = 0;
        for lsn in 1..3 {
            log.append(&encoded(&[lsn])).unwrap();
            if lsn == 1 || last {
                place = log.bytes();
            }
            log.append_progress(Lsn(lsn), &[7; 30]).unwrap();
            log.sync().unwrap();
        }
        drop(log);
        let path = dir.path().join("0000000000000001.log");
        damage(&path, place + 90);
        let nothing = Held {
            begin: Lsn(0),
            end: Lsn(0),
        };
        for repaired in [false, true] {
            let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
            let progress = log.last_progress().unwrap().unwrap().lsn;
            assert_eq!(
                (progress, log.damaged().is_empty()),
                (Lsn(2 - u64::from(last)), repaired)
            );
            assert_eq!(log.progress_lost().map(|lost| lost.offset), last.then_some(place));
            if repaired {
                assert_eq!(all(&log), singles(1..3));
            } else {
                let found = log.damage(&path).unwrap().unwrap();
                assert!(found.needs_no_peer());
                found.repair(&[], nothing).unwrap();
            }
        }
    }
}

#[test]
fn blocks_that_the_peer_has_cut_in_another_way_are_cut_to_fit() {
    for peers in [
        vec![encoded(&[1, 2, 3, 4])],
        vec![encoded(&[1, 2]), encoded(&[3, 4, 5])],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
        for lsns in [&[1][..], &[2, 3], &[4]] {
            log.append(&encoded(lsns)).unwrap();
        }
        log.sync().unwrap();
        let path = dir.path().join("0000000000000001.log");
        damage(&path, 64 + encoded(&[1]).bytes().len() as u64 + 85);
        log.damage(&path).unwrap().unwrap().repair(&peers, ALL).unwrap();
        assert_eq!(all(&log), [encoded(&[1]), encoded(&[2, 3]), encoded(&[4])]);
    }
}

#[test]
fn a_damaged_part_of_a_large_transaction_is_repaired() {
    for at in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
        log.append(&encoded(&[1])).unwrap();
        let (mut blocks, mut place) = (vec![encoded(&[1])], 0);
        for (number, part) in parts(5, 4).into_iter().enumerate() {
            if number == at {
                place = 64 + blocks.iter().map(|block| block.bytes().len() as u64).sum::<u64>();
            }
            log.append(&part).unwrap();
            blocks.push(part);
        }
        log.append(&encoded(&[6])).unwrap();
        blocks.push(encoded(&[6]));
        log.sync().unwrap();
        drop(log);
        let path = dir.path().join("0000000000000001.log");
        damage(&path, place + 85);
        let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
        let found = log.damage(&path).unwrap().unwrap();
        found.repair(&blocks[1..], ALL).unwrap();
        assert_eq!(all(&log), blocks);
    }
}

#[test]
fn an_unfinished_transaction_is_cut_off_a_damaged_log_only_where_proof_of_the_damage_is_left() {
    for synced_before in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
        log.append(&encoded(&[1])).unwrap();
        if synced_before {
            log.sync().unwrap();
        }
        for part in &parts(5, 4)[..2] {
            log.append(part).unwrap();
        }
        log.sync().unwrap();
        drop(log);
        let path = dir.path().join("0000000000000001.log");
        damage(&path, 64 + 85);
        let opened = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES);
        if !synced_before {
            assert!(matches!(opened, Err(Error::Damaged { .. })), "{opened:?}");
            continue;
        }
        let log = opened.unwrap();
        assert_eq!((log.end(), log.cuts().len()), (Lsn(1), 1));
        drop(log);
        // What remains is still known to be damaged, and not torn.
        let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
        assert_eq!((log.damaged().len(), log.cuts().len()), (1, 0));
        log.damage(&path).unwrap().unwrap().repair(&singles(1..2), ALL).unwrap();
        assert_eq!(all(&log), singles(1..2));
    }
}

#[test]
fn a_log_whose_end_is_damaged_grows_and_is_repaired_later() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
    let place = encoded(&[1]).bytes().len() as u64 + 64;
    for lsn in 1..3 {
        log.append(&encoded(&[lsn])).unwrap();
    }
    log.sync().unwrap();
    drop(log);
    let path = dir.path().join("0000000000000001.log");
    damage(&path, place + 3);
    let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
    assert_eq!(log.end(), Lsn(2));
    let found = log.damage(&path).unwrap().unwrap();
    log.append(&encoded(&[3])).unwrap();
    log.sync().unwrap();
    found.repair(&singles(2..3), ALL).unwrap();
    assert_eq!(all(&log), singles(1..4));
}

#[test]
fn what_every_peer_has_pruned_is_left_blank() {
    let dir = tempfile::tempdir().unwrap();
    drop(log(&dir));
    let first = dir.path().join("0000000000000001.log");
    let length = std::fs::metadata(&first).unwrap().len();
    let mut bytes = std::fs::read(&first).unwrap();
    bytes[64..].fill(0);
    std::fs::write(&first, &bytes).unwrap();
    let log = open(&dir);
    assert!(length > 64 && log.read_after(Lsn(0)).unwrap().next_block().is_err());
    let found = log.damage(&first).unwrap().unwrap();
    let next = found.until();
    let pruned = Held {
        begin: next,
        end: Lsn(10),
    };
    found.repair(&[], pruned).unwrap();
    for log in [log, open(&dir)] {
        assert_eq!((all(&log), log.end()), (singles(next.0 + 1..11), Lsn(10)));
    }
}
