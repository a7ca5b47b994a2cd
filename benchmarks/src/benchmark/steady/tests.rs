use super::*;

/// A run of ten seconds with a sample each 100 ms.
fn step(tps: f64, lag_millis: impl Fn(u64) -> u64) -> Step {
    let lag = |n: u64| Lag {
        at: Duration::from_millis(100 * n),
        lag: Duration::from_millis(lag_millis(n)),
    };
    Step {
        tps,
        lags: (0..100).map(lag).collect(),
        length: Duration::from_secs(10),
    }
}

#[test]
fn a_small_lag_at_the_wanted_rate_is_bounded() {
    assert!(step(990.0, |_| 30).is_bounded(Some(1000.0)));
    assert!(step(990.0, |_| 30).is_bounded(None));
}

#[test]
fn a_lag_that_grows_is_not_bounded() {
    assert!(!step(1000.0, |n| 15 * n).is_bounded(Some(1000.0)));
}

#[test]
fn a_lag_at_the_start_that_goes_away_is_bounded() {
    assert!(step(1000.0, |n| if n < 20 { 3000 } else { 5 }).is_bounded(Some(1000.0)));
}

#[test]
fn a_rate_that_was_not_reached_does_not_count() {
    assert!(!step(900.0, |_| 30).is_bounded(Some(1000.0)));
}

#[test]
fn a_run_without_samples_proves_nothing() {
    let empty = Step {
        tps: 1000.0,
        lags: Vec::new(),
        length: Duration::from_secs(10),
    };
    assert!(!empty.is_bounded(None));
    assert_eq!(empty.percentile(99), Duration::ZERO);
}
