use synapse_wal_types::Lsn;

use crate::samples::{encoded, origin, rows};
use crate::{Class, Error, Journal, Options};

const OPTIONS: Options = Options::with_limit(1000);

#[test]
fn a_second_opener_is_refused_while_the_first_lives() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), OPTIONS).unwrap();
    let refused = Journal::open(dir.path(), OPTIONS).unwrap_err();
    assert!(
        matches!(refused, Error::Locked { .. }) && refused.class() == Class::Transient,
        "{refused}"
    );
    drop(journal);
    Journal::open(dir.path(), OPTIONS).unwrap();
}

#[test]
fn logs_are_found_again_and_the_spool_is_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), OPTIONS).unwrap();
    journal.log(origin("n1")).unwrap().append(&encoded(&[5])).unwrap();
    journal.log(origin("under_score")).unwrap();
    journal.spool(7, 1).unwrap().append(&rows(1, 3)).unwrap();
    drop(journal);
    let journal = Journal::open(dir.path(), OPTIONS).unwrap();
    assert_eq!(journal.origins(), [origin("n1"), origin("under_score")]);
    assert_eq!(journal.log(origin("n1")).unwrap().end(), Lsn(5));
    assert_eq!(journal.cuts(), []);
    journal.spool(7, 1).unwrap();
    journal.remove(origin("n1")).unwrap();
    assert_eq!(journal.origins(), [origin("under_score")]);
    assert!(!dir.path().join("n1-7").exists());
}

#[test]
fn over_the_limit_there_is_no_room_until_something_is_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        limit_bytes: 1000,
        segment_bytes: 300,
    };
    let journal = Journal::open(dir.path(), options).unwrap();
    let log = journal.log(origin("n1")).unwrap();
    let mut lsn = 0;
    while journal.room() {
        lsn += 1;
        assert!(lsn < 100);
        log.append(&encoded(&[lsn])).unwrap();
    }
    let files = std::fs::read_dir(dir.path().join("n1-7")).unwrap();
    assert_eq!(
        journal.bytes(),
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    );
    log.prune_below(Lsn(lsn)).unwrap();
    assert!(journal.room());
}

#[test]
fn segments_that_cannot_be_pruned_do_not_fill_a_small_journal() {
    for limit in [64_u64 << 20, 1 << 30, 50 << 30] {
        let Options {
            limit_bytes,
            segment_bytes,
        } = Options::with_limit(limit);
        // The largest cluster has 16 nodes.
        assert!(
            16 * segment_bytes <= limit_bytes / 2,
            "{segment_bytes} of {limit_bytes}"
        );
    }
}

#[test]
fn a_foreign_directory_is_not_taken_for_a_log() {
    for name in ["lost+found", "n1-", "n1-07", "N1-7", "n1"] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(name)).unwrap();
        assert!(
            matches!(Journal::open(dir.path(), OPTIONS), Err(Error::Foreign { .. })),
            "{name} was taken"
        );
    }
}
