use super::*;

const HEAD: &str = "pgbench (15.18)\ntransaction type: <builtin: TPC-B (sort of)>\nscaling factor: 1\n";

#[test]
fn the_summary_of_a_timed_run_is_read() {
    let text = format!(
        "{HEAD}duration: 3 s\nnumber of transactions actually processed: 2417\nnumber of failed transactions: 0 (0.000%)\n\
         latency average = 4.960 ms\nrate limit schedule lag: avg 0.21 (max 3.88) ms\n\
         initial connection time = 6.4 ms\ntps = 806.411200 (without initial connection time)\n"
    );
    assert_eq!(
        parse(&text),
        Some(Summary {
            transactions: 2417,
            tps: 806.4112
        })
    );
}

#[test]
fn the_summary_of_a_counted_run_is_read() {
    let text = format!("{HEAD}number of transactions actually processed: 400/400\ntps = 99.5 (without initial)\n");
    assert_eq!(
        parse(&text),
        Some(Summary {
            transactions: 400,
            tps: 99.5
        })
    );
}

#[test]
fn a_run_that_broke_off_has_no_summary() {
    assert_eq!(parse(HEAD), None);
    assert_eq!(
        parse(&format!("{HEAD}number of transactions actually processed: 3/400\n")),
        None
    );
}
