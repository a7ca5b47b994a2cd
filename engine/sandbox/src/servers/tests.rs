use super::*;

#[test]
fn one_directory_serves_every_node() {
    assert_eq!(
        "/opt/pg/bin".parse::<PgBin>().unwrap(),
        PgBin::All(PathBuf::from("/opt/pg/bin"))
    );
}

#[test]
fn each_node_may_name_its_own_directory() {
    let expected = BTreeMap::from([
        ("n1".to_owned(), PathBuf::from("/a")),
        ("n2".to_owned(), PathBuf::from("/b")),
    ]);
    assert_eq!("n1=/a,n2=/b".parse::<PgBin>().unwrap(), PgBin::PerNode(expected));
}

#[test]
fn a_pair_without_a_directory_is_a_usage_error() {
    for text in ["n1=/a,n2", "n1=", "=/a", "n1=/a,"] {
        assert_eq!(text.parse::<PgBin>().unwrap_err().exit_code(), 2, "{text}");
    }
}

#[test]
fn a_directory_for_an_unknown_node_is_refused_by_name() {
    let pg_bin: PgBin = "n1=/a,n9=/b".parse().unwrap();
    let error = pg_bin.check_names(["n1", "n2"].into_iter()).unwrap_err();
    assert_eq!(error.to_string(), "no node n9 in this sandbox; it has n1, n2");
}

#[test]
fn the_version_is_what_follows_the_product_name() {
    assert_eq!(
        parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
        Some("15.18".to_owned())
    );
    assert_eq!(
        parse_version("postgres (PostgreSQL) 18beta1\n"),
        Some("18beta1".to_owned())
    );
    assert_eq!(parse_version("something else"), None);
}

#[test]
fn the_major_version_ends_at_the_first_character_that_is_no_digit() {
    for (version, major) in [("15.18", 15), ("18beta1", 18), ("14.0", 14)] {
        assert_eq!(
            Server {
                bin: PathBuf::new(),
                version: version.to_owned()
            }
            .major(),
            major
        );
    }
}

#[test]
fn the_newest_version_with_a_server_is_taken_by_number() {
    let root = tempfile::tempdir().unwrap();
    for (version, programs) in [
        ("9", vec!["postgres", "initdb"]),
        ("14", vec!["postgres", "initdb"]),
        ("17", vec!["psql"]),
    ] {
        let bin = root.path().join(version).join("bin");
        fs::create_dir_all(&bin).unwrap();
        for program in programs {
            fs::write(bin.join(program), "").unwrap();
        }
    }
    assert_eq!(newest(root.path()), Some(root.path().join("14/bin")));
}

#[test]
fn a_directory_without_a_server_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = Server::in_dir(dir.path()).unwrap_err();
    assert!(error.to_string().contains("has no postgres"), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn this_machine_has_a_server() {
    let server = Server::find().unwrap();
    assert!(server.major() >= 14, "{server:?}");
}
