use super::*;

#[test]
fn every_policy_is_read_as_it_is_written() {
    let policies = [
        "last-write-wins",
        "first-write-wins",
        "priority(n2,n1)",
        "last-write-wins merge",
        "last-write-wins counter(sold,stock)",
        "priority(n3) merge counter(stock) update-wins",
        "first-write-wins delete-wins",
        "custom(public.newest)",
        "custom(public.newest) delete-wins",
        "error",
    ];
    for text in policies {
        assert_eq!(
            text.parse::<Policy>().map(|policy| policy.to_string()),
            Ok(text.to_owned())
        );
    }
}

#[test]
fn words_stand_in_any_order_and_last_write_wins_is_the_default() {
    let read = |text: &str| text.parse::<Policy>().unwrap().to_string();
    assert_eq!(read("merge"), "last-write-wins merge");
    assert_eq!(
        read("  update-wins   counter( b , a,b )"),
        "last-write-wins counter(a,b) update-wins"
    );
    assert_eq!(read("delete-wins custom(app.f)"), "custom(app.f) delete-wins");
    assert_eq!(Policy::default().to_string(), "last-write-wins");
}

#[test]
fn what_is_no_policy_is_refused_with_what_is_wrong() {
    let wrong = [
        ("", "it is empty"),
        ("newest-wins", "\"newest-wins\" does not belong there"),
        ("last-write-wins first-write-wins", "it names two orders"),
        ("delete-wins update-wins", "it says twice what becomes of deletes"),
        ("priority", "priority wants names in parentheses"),
        ("priority(N1)", "invalid node name"),
        ("priority(n1,n1)", "it names n1 twice"),
        ("priority(n1,,n2)", "names nothing between two commas"),
        ("counter(a", "a closing parenthesis is missing"),
        ("merge merge", "\"merge\" does not belong there"),
        (
            "custom(app.f) merge",
            "custom goes with delete-wins or update-wins only",
        ),
        ("custom(f,g)", "\"custom\" does not belong there"),
        ("custom(f)", "\"f\" is no schema.function in lower case"),
        ("error update-wins", "error stands alone"),
    ];
    for (text, why) in wrong {
        let said = text.parse::<Policy>().unwrap_err().to_string();
        assert!(said.contains(why), "{text:?}: {said}");
    }
}

#[test]
fn only_what_compares_with_the_old_row_needs_it() {
    let needs = |text: &str| text.parse::<Policy>().unwrap().needs_old_rows();
    assert!(needs("merge") && needs("counter(a)") && needs("custom(app.f)"));
    assert!(!needs("last-write-wins") && !needs("priority(n1) delete-wins") && !needs("error"));
}
