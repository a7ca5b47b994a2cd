use synapse_engine_identity::{KeyHash, TableId};

use super::*;

fn row(key: u8) -> RowId {
    RowId {
        table: TableId(1),
        key: KeyHash([key; 16]),
    }
}

fn recheck(origin: Origin, last: u64, decided_at: u64) -> Recheck {
    Recheck {
        marker: Lsn(decided_at + 5),
        decided_at: Lsn(decided_at),
        origin,
        first: Lsn(1),
        last: Lsn(last),
    }
}

#[test]
fn what_a_batch_and_its_re_checks_found_is_known_and_of_an_earlier_run_nothing_is() {
    let (n2, n3): (Origin, Origin) = ("n2:1".parse().unwrap(), "n3:1".parse().unwrap());
    let mut reported = Reported::since(Lsn(100));
    reported.note((n2, Lsn(7)), Lsn(100), vec![row(1)]);
    reported.note((n2, Lsn(7)), Lsn(120), vec![row(2)]);
    reported.note((n3, Lsn(7)), Lsn(130), vec![row(3)]);
    let of_both = Some([row(1), row(2)].into_iter().collect());
    assert_eq!(reported.by(&recheck(n2, 7, 120)), of_both);
    assert_eq!(reported.by(&recheck(n2, 9, 120)), Some(HashSet::new()));
    assert_eq!(reported.by(&recheck(n2, 7, 99)), None);
}

#[test]
fn of_what_is_forgotten_nothing_is_known() {
    let n2: Origin = "n2:1".parse().unwrap();
    let mut reported = Reported::since(Lsn(0));
    reported.note((n2, Lsn(1)), Lsn(10), vec![row(1); ROWS_MAX]);
    reported.note((n2, Lsn(2)), Lsn(20), vec![row(2)]);
    assert_eq!(reported.by(&recheck(n2, 1, 10)), None);
    assert_eq!(reported.by(&recheck(n2, 2, 20)).map(|rows| rows.len()), Some(1));
}
