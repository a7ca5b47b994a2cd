use super::*;

#[test]
fn columns_line_up_and_nothing_trails() {
    let rows = [row(["PEER", "LAG"]), row(["a_long_one", "1 B"]), row(["b", ""])];
    assert_eq!(aligned(&rows), "PEER        LAG\na_long_one  1 B\nb\n");
}

#[test]
fn sizes_are_read_at_a_glance() {
    let shown = [0, 1023, 1024, 1536, 10 << 10, 5 << 20, 50 << 30, u64::MAX].map(bytes);
    assert_eq!(
        shown,
        [
            "0 B",
            "1023 B",
            "1.0 kB",
            "1.5 kB",
            "10 kB",
            "5.0 MB",
            "50 GB",
            "16777215 TB"
        ]
        .map(str::to_owned)
    );
}

#[test]
fn times_are_read_at_a_glance() {
    let shown = [0.0, 0.25, 2.5, 59.94, 150.0, 7200.0].map(seconds);
    assert_eq!(
        shown,
        ["0 s", "250 ms", "2.5 s", "59.9 s", "2 min", "2.0 h"].map(str::to_owned)
    );
}

#[test]
fn one_is_singular() {
    let shown = [0, 1, 2].map(|count| counted(count, "row"));
    assert_eq!(shown, ["0 rows", "1 row", "2 rows"].map(str::to_owned));
}
