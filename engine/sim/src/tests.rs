use crate::{Law, Options, Report, run};

/// Seeds of one test that looks at one thing.
const SEEDS: u64 = 250;
/// Seeds of one of the long parts: nine of them run in parallel, as far as the test runner has cores,
/// and all tests together run 20,000.
const LONG: u64 = 2_000;

fn all(from: u64, options: &Options) -> Report {
    some(from, SEEDS, options)
}

fn some(from: u64, seeds: u64, options: &Options) -> Report {
    let mut total = Report::default();
    for seed in from..from + seeds {
        match run(seed, options) {
            Ok(report) => total.merge(&report),
            Err(violation) => panic!("{violation}"),
        }
    }
    total
}

fn default_seeds(part: u64) -> Report {
    all(1 + part * SEEDS, &Options::default())
}

#[test]
fn every_law_holds_in_the_first_seeds_and_the_interesting_paths_are_taken() {
    let report = default_seeds(0);
    let taken = [
        "guarded",
        "dropped out",
        "exact",
        "re-checked",
        "barriers out of time",
        "engine crashes",
        "server crashes",
        "commits forgotten",
        "deadlocks",
        "lock timeouts",
        "duplicates",
        "held",
        "pruned",
        "wild clocks",
        "values asked for",
        "no equal row",
        "journals that lacked",
        "late commits awaited",
        "parts",
        "begun again",
        "partly known",
        "undecided",
        "brought back by a truncate",
        "orphans found",
        "orphans left to others",
        "orphans reported",
        "parents restored",
        "children deleted",
    ];
    for what in taken {
        assert!(report.count(what) > 0, "no seed came by {what:?}");
    }
    let kinds: Vec<&str> = report.conflicts().map(|(kind, _)| kind).collect();
    assert_eq!(
        kinds,
        [
            "delete_missing",
            "delete_origin_differs",
            "insert_deleted",
            "insert_exists",
            "update_deleted",
            "update_origin_differs"
        ]
    );
}

#[test]
fn every_law_holds_in_the_second_part_of_the_seeds() {
    assert_eq!(default_seeds(1).seeds, SEEDS);
}

#[test]
fn every_law_holds_in_the_third_part_of_the_seeds() {
    assert_eq!(default_seeds(2).seeds, SEEDS);
}

#[test]
fn every_law_holds_in_the_fourth_part_of_the_seeds() {
    assert_eq!(default_seeds(3).seeds, SEEDS);
}

#[test]
fn every_law_holds_among_five_nodes() {
    let options = Options {
        nodes: Some(5),
        transactions: 6,
        ..Options::default()
    };
    assert_eq!(all(1, &options).seeds, SEEDS);
}

#[test]
fn every_law_holds_when_all_write_the_same_two_rows() {
    let options = Options {
        keys: 2,
        transactions: 24,
        ..Options::default()
    };
    assert_eq!(all(1, &options).seeds, SEEDS);
}

#[test]
fn every_law_holds_without_faults_and_registers_are_never_short_of_memory() {
    let options = Options {
        faults: false,
        registers_max: 1_000,
        ..Options::default()
    };
    let report = all(1, &options);
    assert_eq!(
        report.count("engine crashes") + report.count("server crashes") + report.count("links cut"),
        0
    );
}

#[test]
fn every_law_holds_with_room_for_a_single_register() {
    let options = Options {
        registers_max: 1,
        ..Options::default()
    };
    assert_eq!(all(1, &options).seeds, SEEDS);
}

#[test]
fn rows_are_displaced_and_their_neighbours_are_locked() {
    let report = all(1, &Options::default());
    assert!(report.count("displaced") > SEEDS && report.count("neighbours") > SEEDS);
}

#[test]
fn a_seed_is_a_whole_run() {
    let once = run(42, &Options::default()).unwrap();
    assert_eq!(once, run(42, &Options::default()).unwrap());
    assert!(once.count("applied transactions") > 0);
}

#[test]
fn a_violation_says_how_to_see_it_again() {
    let mut violation = crate::Violation {
        seed: 7,
        flags: String::new(),
        law: Law::NothingWaitsForEver,
        at_micros: 1_000_002,
        what: "n1 waits".to_owned(),
        trace: Vec::new(),
    };
    let text = violation.to_string();
    assert!(text.contains("nothing waits for ever"), "{text}");
    assert!(text.contains("virtual time 1.000002 s"), "{text}");
    assert!(text.ends_with("replay: make sim SEEDS=1 FROM=7"), "{text}");
    violation.flags = "--keys 2 --no-faults".to_owned();
    let text = violation.to_string();
    assert!(text.ends_with("FROM=7 FLAGS='--keys 2 --no-faults'"), "{text}");
}

#[test]
fn the_flags_of_a_replay_make_the_same_world() {
    let unusual = Options {
        nodes: Some(4),
        transactions: 3,
        keys: 2,
        registers_max: 1,
        faults: false,
        truncates: false,
        trace: false,
    };
    for options in [Options::default(), unusual] {
        let text = options.flags();
        let mut words = text.split_whitespace().map(str::to_owned);
        let mut again = Options::default();
        while let Some(word) = words.next() {
            assert_eq!(again.flag(&word, &mut words), Ok(true), "{text}");
        }
        assert_eq!(again, options, "{text}");
    }
}

macro_rules! long_parts {
    ($($name:ident: $part:literal,)*) => {$(
        #[test]
        fn $name() {
            let from = 10_000 + $part * LONG;
            assert_eq!(some(from, LONG, &Options::default()).seeds, LONG);
        }
    )*};
}

long_parts! {
    every_law_holds_in_seeds_10_000_to_11_999: 0,
    every_law_holds_in_seeds_12_000_to_13_999: 1,
    every_law_holds_in_seeds_14_000_to_15_999: 2,
    every_law_holds_in_seeds_16_000_to_17_999: 3,
    every_law_holds_in_seeds_18_000_to_19_999: 4,
    every_law_holds_in_seeds_20_000_to_21_999: 5,
    every_law_holds_in_seeds_22_000_to_23_999: 6,
    every_law_holds_in_seeds_24_000_to_25_999: 7,
    every_law_holds_in_seeds_26_000_to_27_999: 8,
}
