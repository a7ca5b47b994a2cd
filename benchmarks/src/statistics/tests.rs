use super::*;

#[test]
fn the_median_of_an_odd_number_is_the_middle_value() {
    assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
    assert_eq!(median(&[7.0]), Some(7.0));
}

#[test]
fn the_median_of_an_even_number_is_the_mean_of_the_middle() {
    assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
}

#[test]
fn nothing_has_neither_median_nor_percentile() {
    assert_eq!(median(&[]), None);
    assert_eq!(percentile(&[], 50), None);
}

#[test]
fn percentiles_are_values_by_nearest_rank() {
    let values: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
    for (percent, millis) in [(0, 1), (1, 2), (50, 100), (99, 198), (100, 200), (400, 200)] {
        assert_eq!(
            percentile(&values, percent),
            Some(Duration::from_millis(millis)),
            "{percent}"
        );
    }
    assert_eq!(percentile(&[Duration::from_secs(3)], 99), Some(Duration::from_secs(3)));
}
