use super::*;

#[test]
fn a_line_of_progress_gives_transactions_per_second() {
    let line = "progress: 5.0 s, 812.3 tps, lat 4.909 ms stddev 2.1, 0 failed";
    assert_eq!(parse_progress(line), Some(812.3));
    assert_eq!(parse_progress("pgbench: error: connection refused"), None);
}

#[test]
fn the_summary_gives_transactions_and_failures() {
    let text = "transaction type: <builtin: TPC-B (sort of)>\nnumber of transactions actually processed: 4321\n\
                number of failed transactions: 7 (0.162%)\nlatency average = 4.6 ms\ntps = 863.5 (without initial connection time)\n";
    assert_eq!(
        parse_summary(text),
        Some(Load {
            transactions: 4321,
            failed: 7,
            tps: 863.5
        })
    );
}

#[test]
fn an_older_summary_without_failures_is_understood() {
    let text = "number of transactions actually processed: 10/10\ntps = 5.0 (without initial connection time)\n";
    assert_eq!(
        parse_summary(text),
        Some(Load {
            transactions: 10,
            failed: 0,
            tps: 5.0
        })
    );
    assert_eq!(parse_summary("tps = 5.0"), None);
}
