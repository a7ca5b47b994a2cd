use super::*;

fn sleeper() -> std::process::Child {
    std::process::Command::new("sleep").arg("600").spawn().unwrap()
}

fn id_of(child: &std::process::Child) -> ProcessId {
    ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap()
}

#[test]
fn the_start_time_is_found_behind_a_name_with_parentheses() {
    let text = "42 (a) b (c)) S 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 200";
    let stat = parse_stat(text).unwrap();
    assert_eq!((stat.state, stat.start), ('S', 98_765));
    assert!(parse_stat("42 (a) S 1 2").is_none());
}

#[test]
fn a_recycled_process_id_is_never_signalled() {
    let mut child = sleeper();
    let real = id_of(&child);
    let earlier = ProcessId {
        start: real.start - 1,
        ..real
    };
    assert!(!earlier.is_alive());
    assert!(!earlier.signal(Signal::KILL).unwrap());
    assert!(real.is_alive());
    assert!(real.signal(Signal::KILL).unwrap());
    child.wait().unwrap();
    assert!(!real.signal(Signal::KILL).unwrap());
}

#[tokio::test]
async fn a_process_that_waits_to_be_reaped_has_ended() {
    let mut child = sleeper();
    let id = id_of(&child);
    assert!(id.signal(Signal::TERM).unwrap());
    id.wait_ended("sleep", Duration::from_secs(10)).await.unwrap();
    assert!(!id.is_alive());
    child.wait().unwrap();
}

#[tokio::test]
async fn a_process_that_does_not_end_is_a_timeout() {
    let mut child = sleeper();
    let error = id_of(&child)
        .wait_ended("sleep", Duration::from_millis(1))
        .await
        .unwrap_err();
    assert_eq!(error.exit_code(), 4);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_program_that_fails_is_shown_with_its_output() {
    let launch = Launch {
        program: PathBuf::from("/bin/sh"),
        arguments: arguments([&"-c", &"echo it broke >&2; exit 7"]),
        library_path: None,
        owner: &Owner::Caller,
    };
    let error = launch.run().await.unwrap_err();
    let Error::Program { status, output, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((status.as_str(), output.as_str()), ("exit status: 7", "it broke"));
}

#[tokio::test]
async fn a_started_program_has_its_own_process_group_and_writes_to_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let launch = Launch {
        program: PathBuf::from("/bin/sh"),
        arguments: arguments([&"-c", &"echo started; exec sleep 600"]),
        library_path: None,
        owner: &Owner::Caller,
    };
    let id = launch.start(&log).unwrap();
    until(Duration::from_secs(10), || {
        fs::read_to_string(&log).is_ok_and(|text| text == "started\n")
    })
    .await
    .unwrap();
    let group = rustix::process::getpgid(Pid::from_raw(id.pid)).unwrap();
    assert_eq!(group.as_raw_nonzero().get(), id.pid);
    assert!(id.signal(Signal::KILL).unwrap());
    id.wait_ended("sh", Duration::from_secs(10)).await.unwrap();
}
