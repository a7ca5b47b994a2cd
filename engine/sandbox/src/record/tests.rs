use super::*;

pub(crate) fn sample() -> Record {
    let dir = PathBuf::from("/d");
    let node = NodeRecord {
        name: "n1".to_owned(),
        dsn: "host=127.0.0.1 port=7400 user=postgres dbname=app".to_owned(),
        postgres_port: 7400,
        link: "127.0.0.1:7401".to_owned(),
        api: "http://127.0.0.1:7402".to_owned(),
        config: dir.join("n1/synapse.toml"),
        token_file: dir.join("token"),
        engine_pid: None,
        engine_start: None,
        postgres_pid: Some(2),
        postgres_start: Some(77),
        pg_version: "15.18".to_owned(),
        pg_bin: PathBuf::from("/usr/lib/postgresql/15/bin"),
        data_dir: dir.join("n1/pgdata"),
        log: dir.join("n1/synapsed.log"),
        postgres_log: dir.join("n1/postgres.log"),
    };
    Record {
        cluster: "sandbox".to_owned(),
        base_port: 7400,
        database: "app".to_owned(),
        synapsed: PathBuf::from("/usr/bin/synapsed"),
        demo: false,
        nodes: vec![node],
    }
}

#[test]
fn a_record_comes_back_as_it_was_saved() {
    let dir = tempfile::tempdir().unwrap();
    let record = sample();
    record.save(dir.path(), &Owner::Caller).unwrap();
    assert_eq!(Record::load(dir.path()).unwrap(), record);
}

#[test]
fn saving_leaves_no_other_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        sample().save(dir.path(), &Owner::Caller).unwrap();
    }
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["sandbox.json"]);
}

#[test]
fn a_process_that_is_down_is_null() {
    let json = serde_json::to_value(sample()).unwrap();
    let node = &json["nodes"][0];
    assert!(node["engine_pid"].is_null());
    assert_eq!(node["postgres_pid"], 2);
}

#[test]
fn a_directory_without_a_record_is_no_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Record::load(dir.path()).unwrap_err(), Error::NoSandbox { .. }));
}

#[test]
fn a_damaged_record_is_named_with_the_place() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), "{\n  \"cluster\": 7 }").unwrap();
    let error = Record::load(dir.path()).unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn an_unknown_node_is_refused_with_the_names_that_exist() {
    let error = sample().node("n7").unwrap_err();
    assert_eq!(error.to_string(), "no node n7 in this sandbox; it has n1");
}
