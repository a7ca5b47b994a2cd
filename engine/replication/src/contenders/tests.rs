use synapse_engine_identity::{KeyHash, RowId, TableId};

use super::{Contenders, Contention};

fn row(table: u32, key: u8) -> RowId {
    RowId {
        table: TableId(table),
        key: KeyHash([key; 16]),
    }
}

#[test]
fn a_row_contends_as_long_as_it_is_displaced_or_stands_in_the_way_of_one_that_is() {
    let mut contenders = Contenders::default();
    let (loser, winner, other) = (row(1, 7), row(1, 255), row(1, 0));
    contenders.change(&Contention::Displaced { row: loser, is: true });
    for rival in [winner, other] {
        contenders.change(&Contention::Rival {
            row: loser,
            rival,
            is: true,
        });
    }
    assert!([loser, winner, other].into_iter().all(|row| contenders.contains(row)));
    assert!(!contenders.contains(row(1, 8)) && !contenders.contains(row(2, 7)));
    contenders.change(&Contention::Rival {
        row: loser,
        rival: other,
        is: false,
    });
    assert!(!contenders.contains(other) && contenders.contains(winner));
    contenders.change(&Contention::Displaced { row: loser, is: false });
    assert!(contenders.contains(loser), "somebody is said to stand in its way still");
    contenders.change(&Contention::Rival {
        row: loser,
        rival: winner,
        is: false,
    });
    assert!(!contenders.contains(loser) && !contenders.contains(winner));
}

#[test]
fn a_table_is_contended_while_one_of_its_rows_is_displaced() {
    let mut contenders = Contenders::default();
    contenders.change(&Contention::Displaced {
        row: row(2, 0),
        is: true,
    });
    assert!(contenders.any_of(TableId(2)));
    assert!(!contenders.any_of(TableId(1)) && !contenders.any_of(TableId(3)));
}
