use super::{Micros, Schedule};
use crate::rng::Rng;

#[test]
fn events_come_in_the_order_of_their_time_and_then_of_the_asking() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let mut schedule = Schedule::new();
        let mut waiting: Vec<(Micros, u64)> = Vec::new();
        for asked in 0..2_000 {
            // Often the same moment, and sometimes the last one that there is.
            let delay = match rng.below(50) {
                0 => Micros::MAX - rng.below(2),
                1..=9 => 0,
                _ => rng.next() >> rng.between(34, 63),
            };
            schedule.after(delay, asked);
            waiting.push((schedule.now().saturating_add(delay), asked));
            if rng.percent(45) {
                waiting.sort_unstable();
                let (at, first) = waiting.remove(0);
                assert_eq!((schedule.next(), schedule.now()), (Some(first), at), "seed {seed}");
            }
        }
        waiting.sort_unstable();
        for (at, next) in waiting {
            assert_eq!((schedule.next(), schedule.now()), (Some(next), at), "seed {seed}");
        }
        assert_eq!(schedule.next(), None);
    }
}
