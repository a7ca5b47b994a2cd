use super::*;

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600 * SECOND;
const SKEW: u64 = 5 * SECOND;

fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

/// Clocks of `n1` among three, as heard at the start.
fn heard(clocks: &[(&str, u64)]) -> Clocks {
    let mut all = Clocks::new(node("n1"), 3);
    for (name, clock) in clocks {
        all.hear(node(name), Hlc(*clock), Monotonic(0));
    }
    all
}

#[test]
fn a_majority_outvotes_one_wrong_clock_whichever_it_is() {
    for clocks in [
        [("n1", HOUR), ("n2", HOUR), ("n3", 2 * HOUR)],
        [("n1", HOUR), ("n2", HOUR), ("n3", 0)],
        [("n1", 2 * HOUR), ("n2", HOUR), ("n3", HOUR)],
        [("n1", 0), ("n2", HOUR), ("n3", HOUR)],
    ] {
        let clocks = heard(&clocks);
        assert_eq!(clocks.reference(Monotonic(0)), Some(Hlc(HOUR)));
        assert!(!clocks.holds(Hlc(HOUR + SKEW), SKEW, Monotonic(0)));
        assert!(clocks.holds(Hlc(HOUR + SKEW + 1), SKEW, Monotonic(0)));
        assert!(
            !clocks.holds(Hlc(HOUR + SKEW + 1), SKEW, Monotonic(1)),
            "its time comes"
        );
    }
}

#[test]
fn before_a_majority_is_heard_the_own_clock_holds_what_lies_ahead() {
    let alone = heard(&[("n1", HOUR)]);
    assert_eq!(alone.majority(Monotonic(0)), None);
    assert!(alone.holds(Hlc(2 * HOUR), SKEW, Monotonic(0)));
    assert!(!alone.holds(Hlc(HOUR + SECOND), SKEW, Monotonic(0)));
    // What it writes itself is believed all the same: nobody is there to say otherwise.
    assert_eq!(alone.believe(Hlc(2 * HOUR), SKEW, Monotonic(0)), Believed::Now);
}

#[test]
fn the_skew_to_each_peer_is_of_one_moment() {
    let mut clocks = heard(&[("n1", HOUR), ("n2", HOUR + SECOND)]);
    clocks.hear(node("n3"), Hlc(HOUR), Monotonic(2 * SECOND));
    let skews: Vec<(NodeId, i64)> = clocks.skews(Monotonic(2 * SECOND)).collect();
    assert_eq!(skews, [(node("n2"), -1_000_000), (node("n3"), 2_000_000)]);
}
