use super::*;

fn at(second: u64) -> Monotonic {
    Monotonic(second * MICROS_PER_SECOND)
}

#[test]
fn the_rate_is_that_of_the_last_minute() {
    let mut recent = Recent::default();
    recent.add(at(0), 30);
    recent.add(at(59), 30);
    assert!((recent.per_second(at(59)) - 1.0).abs() < 1e-9);
    assert!(
        (recent.per_second(at(60)) - 0.5).abs() < 1e-9,
        "the first is a minute ago"
    );
    assert!((recent.per_second(at(118)) - 0.5).abs() < 1e-9);
    assert!(recent.per_second(at(119)) < 1e-9);
}

#[test]
fn after_a_long_silence_nothing_is_left() {
    let mut recent = Recent::default();
    for second in 0..200 {
        recent.add(at(second), 6);
    }
    assert!((recent.per_second(at(199)) - 6.0).abs() < 1e-9);
    assert!(recent.per_second(at(1_000_000)) < 1e-9);
    recent.add(at(1_000_000), 60);
    assert!((recent.per_second(at(1_000_001)) - 1.0).abs() < 1e-9);
}

#[test]
fn a_clock_that_steps_back_counts_in_the_second_that_was_last() {
    let mut recent = Recent::default();
    recent.add(at(100), 60);
    recent.add(at(10), 60);
    assert!((recent.per_second(at(100)) - 2.0).abs() < 1e-9);
}
