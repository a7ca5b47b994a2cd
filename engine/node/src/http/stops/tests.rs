use super::*;

fn ask(txn: &str, confirm: bool) -> Skip {
    Skip {
        from: "n2".parse().unwrap(),
        txn: txn.to_owned(),
        confirm,
    }
}

#[test]
fn what_is_skipped_is_named_exactly_and_confirmed() {
    let stopped: TxnId = "n2:7@0/10".parse().unwrap();
    assert_eq!(chosen(&ask("n2:7@0/10", true), Some(stopped)), Ok(stopped));
    assert_eq!(chosen(&ask("0/10", true), Some(stopped)), Ok(stopped));
    for (asked, standing) in [
        (ask("n2:7@0/10", false), Some(stopped)),
        (ask("n2:7@0/18", true), Some(stopped)),
        (ask("n2:7@0/10", true), None),
    ] {
        assert!(chosen(&asked, standing).is_err(), "{}", asked.txn);
    }
}
