use super::*;

fn options(dir: &Path) -> Options {
    Options {
        synapsed: Some(PathBuf::from("/bin/true")),
        base_port: 0,
        ..Options::new(dir.to_owned())
    }
}

#[test]
fn a_database_name_that_needs_quoting_is_refused() {
    for name in ["", "App", "a b", "a-b", "postgres", "ä"] {
        assert_eq!(check_database(name).unwrap_err().exit_code(), 2, "{name}");
    }
    check_database("app_2").unwrap();
}

#[test]
fn a_node_may_not_be_named_like_a_file_of_the_sandbox() {
    let server = Server {
        bin: PathBuf::from("/pg/bin"),
        version: "15.18".to_owned(),
    };
    for name in ["token", "ca", "Bad", "1n", ""] {
        let made = node_record(Path::new("/d"), name, NodePorts::above(7400), &server, "app");
        assert_eq!(made.unwrap_err().exit_code(), 2, "{name}");
    }
    let node = node_record(Path::new("/d"), "n4", NodePorts::above(7430), &server, "app").unwrap();
    assert_eq!(node.dsn, "host=127.0.0.1 port=7430 user=postgres dbname=app");
    assert_eq!(
        (node.link.as_str(), node.api.as_str()),
        ("127.0.0.1:7431", "http://127.0.0.1:7432")
    );
}

#[test]
fn a_directory_with_other_things_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "").unwrap();
    let error = fresh(
        dir.path(),
        &Options {
            base_port: 7400,
            ..options(dir.path())
        },
    )
    .unwrap_err();
    assert_eq!(error.exit_code(), 5);
}

#[test]
fn a_plan_without_room_for_its_ports_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(fresh(dir.path(), &options(dir.path())).unwrap_err().exit_code(), 2);
}

#[test]
fn a_missing_daemon_is_named() {
    let missing = Options {
        synapsed: Some(PathBuf::from("/no/such/synapsed")),
        ..options(Path::new("/d"))
    };
    assert_eq!(
        synapsed(&missing).unwrap_err().to_string(),
        "no program /no/such/synapsed"
    );
}
