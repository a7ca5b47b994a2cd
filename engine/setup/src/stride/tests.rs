use proptest::prelude::*;

use crate::{Definition, Impossible, Next, Position, Share, Stride, stride};

fn share(ordinal: u16, nodes: u16) -> Share {
    Share::new(ordinal, nodes).unwrap()
}

fn serial() -> Definition {
    Definition {
        increment: 1,
        start: 1,
        min: 1,
        max: i64::MAX,
        cycle: false,
    }
}

/// What `nextval` would hand out, by PostgreSQL's own rule (`nextval_internal` in sequence.c).
fn draw(stride: &Stride, count: usize) -> Vec<i64> {
    let d = stride.definition;
    let mut values = Vec::new();
    let Next::Value(mut value) = stride.next else {
        return values;
    };
    while values.len() < count {
        values.push(value);
        let next = i128::from(value) + i128::from(d.increment);
        value = match i64::try_from(next).ok().filter(|next| (d.min..=d.max).contains(next)) {
            Some(next) => next,
            None if d.cycle && d.increment > 0 => d.min,
            None if d.cycle => d.max,
            None => break,
        };
    }
    values
}

#[test]
fn three_nodes_take_turns() {
    let fresh = Position { last: 1, called: false };
    let drawn = |ordinal| draw(&stride(serial(), fresh, share(ordinal, 3)).unwrap(), 3);
    assert_eq!(
        [drawn(0), drawn(1), drawn(2)],
        [vec![1, 4, 7], vec![2, 5, 8], vec![3, 6, 9]]
    );
}

#[test]
fn a_used_sequence_goes_on_beyond_what_it_handed_out() {
    let used = Position {
        last: 100,
        called: true,
    };
    let plan = stride(serial(), used, share(0, 16)).unwrap();
    assert_eq!((plan.next, plan.definition.start), (Next::Value(113), 1));
    let plan = stride(serial(), used, share(5, 16)).unwrap();
    assert_eq!((plan.next, plan.definition.start), (Next::Value(102), 6));
}

#[test]
fn a_short_sequence_says_how_much_is_left() {
    let small = Definition {
        max: 32_767,
        ..serial()
    };
    let plan = stride(small, Position { last: 1, called: false }, share(0, 16)).unwrap();
    assert_eq!(plan.remaining(), 2_048);
    let plan = stride(
        small,
        Position {
            last: 32_767,
            called: true,
        },
        share(0, 16),
    )
    .unwrap();
    assert_eq!((plan.next, plan.remaining()), (Next::Exhausted, 0));
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let fresh = Position { last: 1, called: false };
    let wide = Definition {
        increment: i64::MAX,
        ..serial()
    };
    assert_eq!(stride(wide, fresh, share(0, 2)), Err(Impossible::TooWide));
    let narrow = Definition {
        max: 3,
        cycle: true,
        ..serial()
    };
    assert_eq!(stride(narrow, fresh, share(3, 16)), Err(Impossible::TooNarrow));
}

fn sequences() -> impl Strategy<Value = (Definition, Position)> {
    let increments = prop_oneof![
        1_i64..5,
        -5_i64..0,
        1_i64..1_000_000_000_000,
        Just(i64::MIN),
        Just(i64::MAX)
    ];
    let bounds = prop_oneof![
        (-50_i64..50, 0_i64..200).prop_map(|(min, width)| (min, min + width)),
        Just((1, i64::MAX)),
        Just((i64::MIN, i64::MAX)),
        Just((i64::MIN, -1)),
        Just((-32_768, 32_767)),
    ];
    (
        increments,
        bounds,
        any::<bool>(),
        any::<u64>(),
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(|(increment, (min, max), cycle, a, b, called)| {
            let within = |pick: u64| {
                let width = i128::from(max) - i128::from(min) + 1;
                i64::try_from(i128::from(min) + i128::from(pick) % width).unwrap()
            };
            (
                Definition {
                    increment,
                    start: within(a),
                    min,
                    max,
                    cycle,
                },
                Position {
                    last: within(b),
                    called,
                },
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_nodes_never_draw_the_same_value(
        (definition, position) in sequences(), nodes in 2_u16..20, a in any::<u16>(), b in any::<u16>(),
    ) {
        let (a, b) = (a % nodes, b % nodes);
        prop_assume!(a != b);
        if let (Ok(a), Ok(b)) = (stride(definition, position, share(a, nodes)), stride(definition, position, share(b, nodes))) {
            let (a, b) = (draw(&a, 300), draw(&b, 300));
            prop_assert!(a.iter().all(|value| !b.contains(value)), "{a:?} {b:?}");
        }
    }

    #[test]
    fn nodes_that_went_on_alone_never_draw_the_same_value(
        (definition, _) in sequences(), here in any::<u64>(), there in any::<u64>(), nodes in 2_u16..20,
    ) {
        let at = |steps: u64| {
            let value = i128::from(definition.min) + i128::from(steps) % (i128::from(definition.max) - i128::from(definition.min) + 1);
            Position { last: i64::try_from(value).unwrap(), called: steps.is_multiple_of(2) }
        };
        let plans = (stride(definition, at(here), share(0, nodes)), stride(definition, at(there), share(nodes - 1, nodes)));
        if let (Ok(a), Ok(b)) = plans {
            let (a, b) = (draw(&a, 300), draw(&b, 300));
            prop_assert!(a.iter().all(|value| !b.contains(value)), "{a:?} {b:?}");
        }
    }

    #[test]
    fn nothing_used_is_drawn_again((definition, position) in sequences(), nodes in 1_u16..20, ordinal in any::<u16>()) {
        let definition = Definition { cycle: false, ..definition };
        if let Ok(plan) = stride(definition, position, share(ordinal % nodes, nodes)) {
            for value in draw(&plan, 100) {
                let (value, last) = if definition.increment > 0 { (value, position.last) } else { (position.last, value) };
                prop_assert!(value > last || (value == last && !position.called), "{} {}", value, last);
            }
        }
    }

    #[test]
    fn every_value_lies_within_the_bounds((definition, position) in sequences(), nodes in 1_u16..20, ordinal in any::<u16>()) {
        if let Ok(plan) = stride(definition, position, share(ordinal % nodes, nodes)) {
            let own = plan.definition;
            prop_assert!(own.min >= definition.min && own.max <= definition.max);
            prop_assert!((own.min..=own.max).contains(&own.start));
            prop_assert!(draw(&plan, 50).iter().all(|value| (definition.min..=definition.max).contains(value)));
        }
    }

    #[test]
    fn going_on_and_planning_again_changes_nothing(
        (definition, position) in sequences(), nodes in 1_u16..20, ordinal in any::<u16>(), drawn in 1_usize..40,
    ) {
        let share = share(ordinal % nodes, nodes);
        if let Ok(plan) = stride(definition, position, share) {
            let values = draw(&plan, drawn + 1);
            if values.len() > drawn {
                let again = stride(definition, Position { last: values[drawn - 1], called: true }, share).unwrap();
                prop_assert_eq!(again.definition, plan.definition);
                prop_assert_eq!(again.next, Next::Value(values[drawn]));
            }
        }
    }

    #[test]
    fn remaining_counts_what_can_be_drawn((definition, position) in sequences(), nodes in 1_u16..20) {
        if let Ok(plan) = stride(Definition { cycle: false, ..definition }, position, share(0, nodes)) {
            let drawn = draw(&plan, 500).len() as u64;
            prop_assert_eq!(plan.remaining().min(500), drawn);
        }
    }
}
