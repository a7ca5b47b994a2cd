pub(crate) mod full;
mod kill;
mod model;
mod torn;

use synapse_wal_types::Lsn;

use crate::samples::{encoded, origin, parts};
use crate::{Appended, EncodedBlock, Error, Log, Reader, SEGMENT_BYTES};

fn open(dir: &tempfile::TempDir, segment_bytes: u64) -> Log {
    Log::open(dir.path(), origin("n1"), segment_bytes).unwrap()
}

fn read(mut reader: Reader) -> Vec<EncodedBlock> {
    std::iter::from_fn(|| reader.next_block().unwrap()).collect()
}

#[test]
fn a_reader_begins_with_the_first_block_that_holds_something_new() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    let blocks = [encoded(&[1, 3]), encoded(&[5]), encoded(&[7, 9])];
    for block in &blocks {
        assert_eq!(log.append(block).unwrap(), Appended::New);
    }
    for (after, skipped) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (8, 2), (9, 3), (99, 3)] {
        assert_eq!(
            read(log.read_after(Lsn(after)).unwrap()),
            blocks[skipped..],
            "after {after}"
        );
    }
}

#[test]
fn a_reader_follows_the_tail_through_new_segments() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, 600);
    let mut reader = log.read_after(Lsn(0)).unwrap();
    for lsn in 1..20 {
        assert_eq!(reader.next_block().unwrap(), None);
        log.append(&encoded(&[lsn])).unwrap();
        log.append_progress(Lsn(lsn), b"progress").unwrap();
        assert_eq!(reader.next_block().unwrap(), Some(encoded(&[lsn])));
    }
    assert!(std::fs::read_dir(dir.path()).unwrap().count() > 5);
}

#[test]
fn a_reader_sees_no_part_before_the_last_one_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    let mut reader = log.read_after(Lsn(0)).unwrap();
    let blocks = parts(5, 3);
    for block in &blocks[..2] {
        log.append(block).unwrap();
        log.sync().unwrap();
        assert_eq!((reader.next_block().unwrap(), log.end()), (None, Lsn::ZERO));
    }
    log.append(&blocks[2]).unwrap();
    assert_eq!((read(reader), log.end()), (blocks, Lsn(5)));
}

#[test]
fn a_transaction_that_begins_again_replaces_its_unfinished_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    let (first, second) = (parts(5, 3), parts(5, 2));
    log.append(&first[0]).unwrap();
    log.append(&first[1]).unwrap();
    assert!(matches!(log.append(&encoded(&[6])), Err(Error::OutOfOrder { .. })));
    assert!(matches!(
        log.append_progress(Lsn(6), b""),
        Err(Error::OutOfOrder { .. })
    ));
    for block in &second {
        assert_eq!(log.append(block).unwrap(), Appended::New);
    }
    for block in second.iter().chain(&first) {
        assert_eq!(log.append(block).unwrap(), Appended::Known);
    }
    log.append(&encoded(&[6])).unwrap();
    drop(log);
    let again = open(&dir, SEGMENT_BYTES);
    assert_eq!(again.cuts(), []);
    assert_eq!(read(again.read_after(Lsn(0)).unwrap())[..2], second);
}

#[test]
fn blocks_may_overlap_but_never_lack_news() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, 300);
    let blocks = [encoded(&[1, 3]), encoded(&[1, 3, 5]), encoded(&[3, 5, 7])];
    for block in &blocks {
        assert_eq!(log.append(block).unwrap(), Appended::New);
        assert_eq!(log.append(block).unwrap(), Appended::Known);
    }
    assert_eq!(read(log.read_after(Lsn(3)).unwrap()), blocks[1..]);
    drop(log);
    assert_eq!(read(open(&dir, 300).read_after(Lsn(0)).unwrap()), blocks);
}

#[test]
fn a_transaction_is_found_with_all_its_parts() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, 900);
    let (small, large, late) = (encoded(&[1, 3]), parts(5, 4), encoded(&[9]));
    for block in std::iter::once(&small).chain(&large).chain([&late]) {
        log.append(block).unwrap();
    }
    assert_eq!(
        read(log.read_transaction(Lsn(1)).unwrap()),
        std::slice::from_ref(&small)
    );
    assert_eq!(read(log.read_transaction(Lsn(3)).unwrap()), [small]);
    assert_eq!(read(log.read_transaction(Lsn(5)).unwrap()), large);
    assert_eq!(read(log.read_transaction(Lsn(9)).unwrap()), [late]);
    assert_eq!(read(log.read_transaction(Lsn(7)).unwrap()), []);
    assert_eq!(read(log.read_transaction(Lsn(10)).unwrap()), []);
}

#[test]
fn blocks_of_another_origin_and_blocks_that_stay_at_home_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), origin("n2"), SEGMENT_BYTES).unwrap();
    assert!(matches!(log.append(&encoded(&[1])), Err(Error::WrongOrigin { .. })));
    let progress = crate::encode::encode_progress(origin("n2"), Lsn(1), b"x").unwrap();
    assert!(matches!(log.append(&progress), Err(Error::Invalid { .. })));
    log.append_progress(Lsn(1), b"x").unwrap();
    drop(log);
    assert!(matches!(
        Log::open(dir.path(), origin("n1"), SEGMENT_BYTES),
        Err(Error::WrongOrigin { .. })
    ));
}

#[test]
fn the_latest_progress_outlives_pruning_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, 400);
    assert_eq!(log.last_progress().unwrap(), None);
    log.append_progress(Lsn(2), b"old").unwrap();
    log.append_progress(Lsn(3), b"new").unwrap();
    for lsn in 4..30 {
        log.append(&encoded(&[lsn])).unwrap();
    }
    assert!(log.prune_below(Lsn::MAX).unwrap() > 0);
    drop(log);
    let log = open(&dir, 400);
    let progress = log.last_progress().unwrap().unwrap();
    assert_eq!((progress.lsn, progress.payload), (Lsn(3), b"new".to_vec()));
    assert!(matches!(log.read_after(Lsn(3)), Err(Error::Pruned { first_available }) if first_available == log.begin()));
}

#[test]
fn a_full_segment_is_pruned_although_nothing_more_is_written() {
    let dir = tempfile::tempdir().unwrap();
    // Every block fills a segment.
    let log = open(&dir, 100);
    for lsn in 1..=3 {
        log.append(&encoded(&[lsn])).unwrap();
    }
    let mut reader = log.read_after(Lsn::ZERO).unwrap();
    for lsn in 1..=3 {
        assert_eq!(reader.next_block().unwrap().unwrap().header().last, Lsn(lsn));
    }
    assert!(log.prune_below(Lsn(2)).unwrap() > 0);
    assert_eq!(
        log.prune_below(Lsn(2)).unwrap(),
        0,
        "the last transaction is still wanted"
    );
    assert!(log.prune_below(Lsn(3)).unwrap() > 0);
    log.append(&encoded(&[4])).unwrap();
    // A reader that had begun goes on.
    assert_eq!(reader.next_block().unwrap().unwrap().header().last, Lsn(4));
    drop(log);
    assert_eq!(open(&dir, 100).end(), Lsn(4));
}

#[test]
fn an_idle_origin_with_progress_only_is_pruned_too() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, 400);
    log.append(&encoded(&[1])).unwrap();
    for lsn in 2..60 {
        log.append_progress(Lsn(lsn), b"some progress").unwrap();
    }
    let before = log.bytes();
    log.prune_below(Lsn(1)).unwrap();
    assert!(log.bytes() < before / 5, "{} of {before} bytes are left", log.bytes());
    drop(log);
    let log = open(&dir, 400);
    assert_eq!(
        (log.end(), log.last_progress().unwrap().unwrap().lsn),
        (Lsn(1), Lsn(59))
    );
}

#[test]
fn an_empty_log_can_begin_after_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    log.begin_after(Lsn(50)).unwrap();
    assert_eq!(
        (log.end(), log.durable(), log.append(&encoded(&[40])).unwrap()),
        (Lsn(50), Lsn(50), Appended::Known)
    );
    log.append(&encoded(&[60])).unwrap();
    assert!(matches!(
        log.read_after(Lsn(49)),
        Err(Error::Pruned {
            first_available: Lsn(50)
        })
    ));
    assert!(log.begin_after(Lsn(70)).is_err());
    drop(log);
    assert_eq!(
        read(open(&dir, SEGMENT_BYTES).read_after(Lsn(50)).unwrap()),
        [encoded(&[60])]
    );
}

#[test]
fn a_foreign_file_is_not_taken_for_a_segment() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("notes.txt"), "x").unwrap();
    std::fs::write(dir.path().join("0000000000000001.tmp"), "half a segment").unwrap();
    let refused = Log::open(dir.path(), origin("n1"), SEGMENT_BYTES);
    assert!(matches!(refused, Err(Error::Foreign { .. })), "{refused:?}");
    std::fs::remove_file(dir.path().join("notes.txt")).unwrap();
    open(&dir, SEGMENT_BYTES);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
