use synapse_engine_identity::{RowId, TableId};
use synapse_engine_replication::Contention;

use crate::Path;
use crate::bench::Bench;

/// Transactions of one batch, and its steps.
type Case<'a> = (&'a [&'a [&'a str]], &'a [&'a str]);

fn merged(cases: &[Case<'_>]) {
    for (txns, steps) in cases {
        assert_eq!(Bench::new().plan(Path::Set, txns), *steps, "{txns:?}");
    }
}

#[test]
fn changes_of_one_row_are_merged_to_their_net_effect() {
    merged(&[
        (
            &[&["insert t 1 x y"], &["update t 1 z y"]],
            &["insert t (id, a, b): 1 z y"],
        ),
        (&[&["insert t 1 x y"], &["delete t 1"]], &[]),
        (
            &[&["update t 1 x y"], &["update t 1 z y"]],
            &["update t (id, a, b): 1 z y"],
        ),
        (&[&["update t 1 x y"], &["delete t 1"]], &["delete t (id): 1 ~ ~"]),
        (
            &[&["delete t 1"], &["insert t 1 x y"]],
            &["delete t (id): 1 x y", "insert t (id, a, b): 1 x y"],
        ),
        (
            &[&["delete t 1", "insert t 1 x y", "update t 1 z y"]],
            &["delete t (id): 1 z y", "insert t (id, a, b): 1 z y"],
        ),
        (
            &[&["delete t 1", "insert t 1 x y", "delete t 1"]],
            &["delete t (id): 1 ~ ~"],
        ),
        (
            &[&["insert t 1 x y", "delete t 1", "insert t 1 z w"]],
            &["insert t (id, a, b): 1 z w"],
        ),
    ]);
}

#[test]
fn an_unchanged_toast_value_leaves_the_one_before() {
    merged(&[
        (&[&["update t 1 x ~"]], &["update t (id, a): 1 x ~"]),
        (
            &[&["insert t 1 x y"], &["update t 1 z ~"]],
            &["insert t (id, a, b): 1 z y"],
        ),
        (
            &[&["update t 1 x y"], &["update t 1 z ~"]],
            &["update t (id, a, b): 1 z y"],
        ),
        (
            &[&["update t 1 x ~"], &["update t 1 z -"]],
            &["update t (id, a, b): 1 z -"],
        ),
    ]);
}

#[test]
fn rows_are_grouped_by_what_is_done_to_which_columns() {
    merged(&[
        (
            &[&["insert t 1 x y", "update t 2 x y", "delete t 3"], &["insert u 1 x y"]],
            &[
                "delete t (id): 3 ~ ~",
                "update t (id, a, b): 2 x y",
                "insert t (id, a, b): 1 x y",
                "insert u (id, a, b): 1 x y",
            ],
        ),
        (
            &[&["update t 1 x y", "update t 2 x ~", "update t 3 z w"]],
            &["update t (id, a, b): 1 x y; 3 z w", "update t (id, a): 2 x ~"],
        ),
    ]);
}

#[test]
fn a_key_change_is_a_delete_and_an_insert() {
    merged(&[
        (
            &[&["move t 1 2 x y"]],
            &["delete t (id): 1 ~ ~", "insert t (id, a, b): 2 x y"],
        ),
        // Two rows swap their keys by way of a third key.
        (
            &[&["move t 1 3 x y", "move t 2 1 z w", "move t 3 2 x y"]],
            &["delete t (id): 1 z w; 2 x y", "insert t (id, a, b): 1 z w; 2 x y"],
        ),
        // Each takes the key of the next.
        (
            &[&["move t 3 4 c c", "move t 2 3 b b", "move t 1 2 a a"]],
            &[
                "delete t (id): 3 b b; 2 a a; 1 ~ ~",
                "insert t (id, a, b): 3 b b; 4 c c; 2 a a",
            ],
        ),
        // A chain through one row.
        (
            &[&["move t 1 2 x y"], &["move t 2 3 z y"]],
            &["delete t (id): 1 ~ ~", "insert t (id, a, b): 3 z y"],
        ),
    ]);
}

#[test]
fn a_key_change_that_leaves_a_toast_value_behind_is_a_step_of_its_own() {
    merged(&[
        (&[&["move t 1 2 x ~"]], &["move t: 1 ~ ~ to 2 x ~"]),
        (
            &[&["update t 1 w v", "move t 1 2 x ~", "update t 2 z ~"]],
            &[
                "update t (id, a, b): 1 w v",
                "move t: 1 ~ ~ to 2 x ~",
                "update t (id, a): 2 z ~",
            ],
        ),
    ]);
}

#[test]
fn a_row_that_left_values_behind_under_a_contested_key_takes_the_exact_path() {
    let mut bench = Bench::new();
    bench.local_update("1", 50);
    assert_eq!(bench.plan(Path::Set, &[&["move t 1 2 x ~"]]), ["contested: 1, 2"]);
    // And so does what becomes of it.
    let mut bench = Bench::new();
    bench.local_update("1", 50);
    let txns: &[&[&str]] = &[&["move t 1 2 x ~"], &["move t 2 3 y ~"]];
    assert_eq!(bench.plan(Path::Set, txns), ["contested: 1, 2, 3"]);
    // A row that is whole needs no other.
    let mut bench = Bench::new();
    bench.local_update("1", 50);
    assert_eq!(
        bench.plan(Path::Set, &[&["move t 1 2 x y"]]),
        ["insert t (id, a, b): 2 x y", "contested: 1"]
    );
}

#[test]
fn a_row_of_which_a_write_was_not_seen_is_in_no_step() {
    for (hlc, txns) in [
        (50, &[&["update t 1 x y", "update t 2 x y"][..]][..]),
        (500, &[&["update t 2 x y", "delete t 1"]]),
    ] {
        let mut bench = Bench::new();
        bench.local_update("1", hlc);
        let steps = bench.plan(Path::Set, txns);
        assert_eq!(steps, ["update t (id, a, b): 2 x y", "contested: 1"]);
    }
}

#[test]
fn changes_that_do_not_follow_one_another_are_left_to_the_registers() {
    // The origin applied another node's delete, or insert, between the two.
    merged(&[
        (&[&["insert t 1 x y"], &["insert t 1 z w"]], &["contested: 1"]),
        (&[&["delete t 1"], &["update t 1 x y"]], &["contested: 1"]),
        (&[&["delete t 1"], &["delete t 1"]], &["contested: 1"]),
        (&[&["update t 1 x y"], &["insert t 1 z w"]], &["contested: 1"]),
    ]);
}

#[test]
fn what_cannot_be_reordered_ends_a_segment() {
    merged(&[
        (
            &[&["insert t 1 x y"], &["truncate t", "truncate u"], &["insert t 1 z w"]],
            &[
                "insert t (id, a, b): 1 x y",
                "truncate t, u",
                "insert t (id, a, b): 1 z w",
            ],
        ),
        (
            &[&["insert k 1 x y", "insert k 1 x y", "delete k 1 x y", "insert k 2 x y"]],
            &["insert k: 1 x y; 1 x y", "delete k: 1 x y", "insert k: 2 x y"],
        ),
        (
            &[&["insert k 1 x y", "update k 1 x y 1 z y"]],
            &["insert k: 1 x y", "update k: 1 x y to 1 z y"],
        ),
    ]);
}

#[test]
fn rows_that_may_exclude_each_other_go_through_the_exact_path_once_some_did() {
    let txns: &[&[&str]] = &[&["insert t 1 x y", "insert u 1 z w"]];
    let both = ["insert t (id, a, b): 1 x y", "insert u (id, a, b): 1 z w"];
    assert_eq!(Bench::new().plan(Path::Set, txns), both);
    assert_eq!(Bench::new().plan(Path::Exact, txns), both[..1]);
    let mut bench = Bench::new();
    let row = RowId {
        table: TableId(1),
        ..bench.row("9")
    };
    bench.kernel.contention(&Contention::Displaced { row, is: true });
    assert_eq!(bench.plan(Path::Set, txns), both[..1]);
}

#[test]
fn what_comes_and_goes_may_stand_elsewhere_where_rows_may_be_displaced() {
    let txns: &[&[&str]] = &[&["insert t 1 x y", "insert u 1 x y"], &["delete t 1", "delete u 1"]];
    assert_eq!(Bench::new().plan(Path::Set, txns), ["delete u (id): 1 ~ ~"]);
}

#[test]
fn a_batch_knows_the_last_value_of_every_column_also_of_a_row_that_it_deletes() {
    let txns: &[&[&str]] = &[&["insert t 1 x y", "update t 1 z ~"], &["delete t 1"]];
    assert_eq!(Bench::new().known(txns, "1"), "1 z y");
}
