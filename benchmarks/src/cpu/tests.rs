use super::*;

#[test]
fn the_four_times_of_a_stat_line_are_found_behind_any_name() {
    let rest = "S 1 2 3 0 -1 4194304 100 200 0 0 70 5 11 2 20 0 1 0 123456 1000 10";
    for name in ["postgres", "a) S 9 (b", "x y"] {
        let parsed = parse(&format!("4711 ({name}) {rest}"));
        assert_eq!(parsed, Some(Ticks { own: 75, children: 13 }), "{name}");
    }
}

#[test]
fn a_line_that_ends_too_early_is_not_read() {
    assert_eq!(parse("4711 (postgres) S 1 2 3 0 -1 4194304 100 200 0 0 70 5 11"), None);
    assert_eq!(parse(""), None);
}

#[test]
fn a_process_that_works_in_a_directory_counts_as_its_server() {
    let dir = tempfile::tempdir().unwrap();
    assert!(of_server(dir.path()).is_err(), "nothing works there yet");
    let mut child = std::process::Command::new("cat")
        .current_dir(dir.path())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let used = of_server(dir.path());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(used.unwrap() < Duration::from_secs(1), "cat has nothing to do");
}
