use super::*;

#[test]
fn the_numbers_are_those_that_scripts_rely_on() {
    let all = [
        Exit::Done,
        Exit::No,
        Exit::Usage,
        Exit::Unreachable,
        Exit::TimedOut,
        Exit::Refused,
    ];
    assert_eq!(all.map(Exit::number), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn statuses_of_the_api_become_exit_codes() {
    for (status, exit) in [
        (200, Exit::Done),
        (400, Exit::Usage),
        (401, Exit::Usage),
        (404, Exit::Usage),
        (409, Exit::Refused),
        (500, Exit::Unreachable),
        (502, Exit::Unreachable),
        (504, Exit::TimedOut),
    ] {
        assert_eq!(Exit::of_status(status), exit, "{status}");
    }
}

#[test]
fn an_error_names_its_code_through_every_context() {
    use anyhow::Context;
    let failure: anyhow::Result<()> = Err(Failure::new(Exit::Refused, "no").hint("say --confirm").into());
    let error = failure.context("while trying").unwrap_err();
    assert_eq!(of(&error), ExitCode::from(5));
    assert_eq!(format!("{error:#}"), "while trying: no\nhint: say --confirm");
    assert_eq!(of(&anyhow::anyhow!("unnamed")), ExitCode::from(2));
}
