use synapse_engine_identity::{Hlc, Incarnation, KeyHash, Origin, RowId, TableId};
use synapse_engine_replication::{Kernel, Kind, LastWrite, Limits, MemoryOverflow};

use super::{Loser, Neighbour, Neighbours, Settled};

fn origin() -> Origin {
    Origin {
        node: "n1".parse().expect("a name"),
        incarnation: Incarnation(1),
    }
}

fn row(key: u8) -> RowId {
    RowId {
        table: TableId(0),
        key: KeyHash([key; 16]),
    }
}

fn at(hlc: u64) -> LastWrite {
    LastWrite {
        hlc: Hlc(hlc),
        origin: origin(),
    }
}

fn neighbour(
    stands: Option<&'static str>,
    displaced: Option<(&'static str, u64)>,
    image: Option<&'static str>,
) -> Neighbour<&'static str> {
    Neighbour {
        stands,
        displaced: displaced.map(|(image, hlc)| (image, at(hlc))),
        image,
    }
}

fn settle(neighbours: Neighbours<&'static str>) -> Settled<&'static str> {
    let limits = Limits {
        clock_skew_max_micros: 5_000_000,
        registers_max: 8,
    };
    let mut kernel = Kernel::new(
        origin(),
        1,
        limits,
        Default::default(),
        Default::default(),
        MemoryOverflow::default(),
    );
    let table = crate::bench::table(0, "u", &["id", "a"]);
    neighbours.settle(&mut kernel, &table).expect("nobody is asked")
}

#[test]
fn found_rows_are_asked_for_once_and_must_be_locked() {
    let mut neighbours = Neighbours::default();
    neighbours.intend(row(1), neighbour(None, None, Some("a")));
    assert_eq!(neighbours.ask(), [(row(1), Some("a"))]);
    assert!(!neighbours.reaches_further());
    neighbours.found(row(2), neighbour(Some("b"), None, Some("b")));
    neighbours.found(row(1), neighbour(Some("x"), None, Some("x")));
    neighbours.in_the_way(row(3), row(2), at(4));
    assert_eq!(neighbours.ask(), [(row(2), Some("b")), (row(3), None)]);
    assert!(neighbours.reaches_further() && neighbours.ask().is_empty());
}

#[test]
fn a_displaced_row_comes_back_when_what_excluded_it_goes() {
    let mut neighbours = Neighbours::default();
    neighbours.intend(row(1), neighbour(Some("winner"), None, None));
    neighbours.intend(row(2), neighbour(None, Some(("loser", 5)), Some("loser")));
    neighbours.in_the_way(row(2), row(1), at(7));
    let settled = settle(neighbours);
    assert_eq!(settled.gone, [row(1)]);
    assert_eq!(settled.inserted, [(row(2), "loser")]);
    assert_eq!((settled.back, settled.freed), (vec![row(2)], vec![(row(2), row(1))]));
    assert!(settled.displaced.is_empty() && settled.ways.is_empty() && settled.contended);
}

#[test]
fn the_later_row_displaces_the_earlier_and_both_times_are_recorded() {
    let mut neighbours = Neighbours::default();
    // What is recorded of a third one says when the two were written.
    neighbours.intend(row(1), neighbour(Some("old"), None, Some("old")));
    neighbours.intend(row(2), neighbour(None, Some(("new", 9)), Some("new")));
    neighbours.in_the_way(row(2), row(1), at(3));
    neighbours.exclude(row(2), row(1));
    let settled = settle(neighbours);
    let loser = Loser {
        row: row(1),
        image: "old",
        last: at(3),
        rivals: vec![row(2)],
        clash: Some((row(2), Kind::InsertExists)),
    };
    assert_eq!(settled.displaced, [loser]);
    assert_eq!(settled.ways, [(row(1), row(2), at(9))]);
    assert_eq!((settled.gone, settled.inserted), (vec![row(1)], vec![(row(2), "new")]));
    assert_eq!((settled.back, settled.freed), (vec![row(2)], vec![(row(2), row(1))]));
}

#[test]
fn rows_that_swap_go_and_come_in_again() {
    let mut neighbours = Neighbours::default();
    neighbours.intend(row(1), neighbour(Some("a"), None, Some("b")));
    neighbours.intend(row(2), neighbour(Some("b"), None, Some("a")));
    neighbours.intend(row(3), neighbour(Some("c"), None, Some("d")));
    neighbours.take(row(1));
    neighbours.take(row(2));
    let settled = settle(neighbours);
    assert_eq!(settled.gone, [row(1), row(2)]);
    assert_eq!(settled.inserted, [(row(1), "b"), (row(2), "a")]);
    assert_eq!(settled.updated, [(row(3), "c", "d")]);
    assert!(!settled.contended);
}
