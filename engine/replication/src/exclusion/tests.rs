use proptest::prelude::*;
use synapse_engine_identity::{Hlc, Incarnation, KeyHash, Origin, RowId, TableId};

use super::{Contender, LastWrite, standing};

fn origin(name: &str) -> Origin {
    Origin {
        node: name.parse().expect("a name"),
        incarnation: Incarnation(1),
    }
}

fn contender(key: u8, hlc: Option<u64>) -> Contender {
    Contender {
        row: RowId {
            table: TableId(0),
            key: KeyHash([key; 16]),
        },
        written: hlc.map(|hlc| LastWrite {
            hlc: Hlc(hlc),
            origin: origin("n1"),
        }),
        waits: false,
    }
}

#[test]
fn a_row_that_is_excluded_by_a_displaced_one_alone_stands() {
    let mut rows = [contender(1, Some(5)), contender(2, Some(7)), contender(3, Some(9))];
    assert_eq!(
        standing(origin("n1"), &mut rows, &[(0, 1), (1, 2)]),
        [true, false, true]
    );
}

#[test]
fn what_is_not_known_any_more_is_earlier_than_what_is_written_now_and_later_than_what_waits() {
    let (mut waiting, unknown, new) = (contender(1, Some(5)), contender(2, None), contender(3, Some(6)));
    waiting.waits = true;
    let mut rows = [waiting, unknown, new];
    assert_eq!(standing(origin("n1"), &mut rows, &[(0, 1)]), [false, true, true]);
    rows[1].written = None;
    assert_eq!(standing(origin("n1"), &mut rows, &[(1, 2)]), [true, false, true]);
}

proptest! {
    #[test]
    fn no_two_that_stand_exclude_each_other_and_who_does_not_is_excluded_by_a_later_one(
        times in proptest::collection::vec(1_u64..6, 1..12),
        pairs in proptest::collection::vec((0_usize..12, 0_usize..12), 0..30),
    ) {
        let mut rows: Vec<Contender> = (0_u8..).zip(&times).map(|(key, hlc)| contender(key, Some(*hlc))).collect();
        let pairs: Vec<(usize, usize)> = pairs.into_iter().filter(|(a, b)| a != b && *a.max(b) < rows.len()).collect();
        let stands = standing(origin("n1"), &mut rows, &pairs);
        for &(a, b) in &pairs {
            prop_assert!(!(stands[a] && stands[b]));
        }
        for at in (0..rows.len()).filter(|at| !stands[*at]) {
            let order = |at: usize| (rows[at].written, rows[at].row);
            let by = pairs.iter().filter_map(|&(a, b)| (a == at).then_some(b).or((b == at).then_some(a)));
            prop_assert!(by.into_iter().any(|other| stands[other] && order(other) > order(at)));
        }
    }
}
