use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000;

#[test]
fn it_is_full_at_first_and_fills_with_time_up_to_its_burst() {
    let mut rate = Rate::new(100, 1000);
    assert_eq!(rate.room(Monotonic(5)), 1000);
    rate.take(Monotonic(5), 1000);
    assert_eq!(rate.room(Monotonic(5)), 0);
    assert_eq!(
        rate.room(Monotonic(5 + 9_999)),
        0,
        "a hundredth of a second is not over"
    );
    assert_eq!(rate.room(Monotonic(5 + 10_000)), 1);
    assert_eq!(rate.room(Monotonic(5 + SECOND)), 100);
    assert_eq!(rate.room(Monotonic(5 + 3600 * SECOND)), 1000);
}

#[test]
fn a_bucket_of_nothing_gives_nothing() {
    let mut rate = Rate::new(0, 0);
    assert_eq!(rate.room(Monotonic(u64::MAX)), 0);
    let mut rate = Rate::new(100, 0);
    assert_eq!(rate.room(Monotonic(u64::MAX)), 0);
}

#[test]
fn a_clock_that_steps_back_gives_nothing_twice() {
    let mut rate = Rate::new(1, 10);
    rate.take(Monotonic(10 * SECOND), 10);
    assert_eq!(rate.room(Monotonic(SECOND)), 0);
    assert_eq!(rate.room(Monotonic(10 * SECOND)), 0);
    assert_eq!(rate.room(Monotonic(11 * SECOND)), 1);
}

proptest! {
    #[test]
    fn never_more_is_taken_than_the_burst_and_what_time_has_brought(
        per_second in 0_u32..5_000,
        burst in 0_u32..5_000,
        asks in proptest::collection::vec((0_u64..3 * SECOND, 0_u64..10_000), 1..100),
    ) {
        let mut rate = Rate::new(per_second, burst);
        let (mut now, mut taken) = (0, 0);
        for (pause, wanted) in asks {
            now += pause;
            let granted = wanted.min(rate.room(Monotonic(now)));
            rate.take(Monotonic(now), granted);
            taken += granted;
            let brought = u128::from(now) * u128::from(per_second) / u128::from(SECOND);
            prop_assert!(u128::from(taken) <= u128::from(burst) + brought);
        }
    }
}
