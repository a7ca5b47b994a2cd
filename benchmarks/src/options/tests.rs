use super::*;

#[test]
fn the_server_alone_is_measured_once_a_round_and_at_each_place_in_turn() {
    let place = |round| {
        with_alone(vec![Side::Ours, Side::Native], round)
            .iter()
            .position(|side| *side == Side::Alone)
    };
    assert_eq!([0, 1, 2, 3].map(place), [Some(0), Some(1), Some(2), Some(0)]);
    assert_eq!(with_alone(vec![Side::Native], 1), [Side::Native, Side::Alone]);
}
