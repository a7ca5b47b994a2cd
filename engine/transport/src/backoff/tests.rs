use std::time::Duration;

use super::*;

fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(1))
}

#[test]
fn the_ceiling_doubles_up_to_the_cap() {
    let mut backoff = backoff();
    let waits: Vec<u128> = (0..40)
        .map(|_| backoff.next(Class::Transient, u64::MAX).as_millis())
        .collect();
    assert_eq!(waits[..5], [99, 199, 399, 799, 999]);
    assert!(waits[5..].iter().all(|w| *w == 999));
}

#[test]
fn jitter_is_full() {
    assert_eq!(backoff().next(Class::Transient, 0), Duration::ZERO);
    assert_eq!(backoff().next(Class::Transient, 1 << 63), Duration::from_millis(50));
}

#[test]
fn success_resets_it() {
    let mut backoff = backoff();
    for _ in 0..9 {
        backoff.next(Class::Transient, 0);
    }
    backoff.reset();
    assert_eq!(backoff.next(Class::Transient, u64::MAX).as_millis(), 99);
}

#[test]
fn what_a_person_must_mend_is_not_retried_fast() {
    for class in [Class::Definite, Class::Bug] {
        assert_eq!(backoff().next(class, 0), Duration::from_millis(500));
        assert_eq!(backoff().next(class, u64::MAX).as_millis(), 999);
    }
}
