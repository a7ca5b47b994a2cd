use std::time::Duration;

use synapse_engine_identity::Hlc;

use super::age_seconds;

fn assert_close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn a_transaction_ages_by_its_own_nodes_clock() {
    assert_close(
        age_seconds(Hlc(5_000_000), Duration::from_millis(500), Hlc(3_000_000)),
        2.5,
    );
}

#[test]
fn a_time_ahead_of_its_clock_has_no_age() {
    assert_close(age_seconds(Hlc(5_000_000), Duration::ZERO, Hlc(9_000_000)), 0.0);
}
