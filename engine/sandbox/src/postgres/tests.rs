use super::*;

#[test]
fn sockets_live_in_the_sandbox_when_the_path_is_short() {
    assert_eq!(socket_dir(Path::new("/tmp/x")), PathBuf::from("/tmp/x/s"));
}

#[test]
fn a_long_path_has_its_sockets_in_tmp_always_in_the_same_place() {
    let long = PathBuf::from("/tmp").join("d".repeat(100));
    let first = socket_dir(&long);
    assert!(first.join(".s.PGSQL.65535").as_os_str().len() <= 107, "{first:?}");
    assert_eq!(first, socket_dir(&long));
    assert_ne!(first, socket_dir(&long.join("other")));
}

#[test]
fn a_quote_in_the_path_is_doubled() {
    let text = settings(7400, Path::new("/tmp/it's"));
    assert!(text.contains("unix_socket_directories = '/tmp/it''s'\n"), "{text}");
    assert!(text.contains("port = 7400\n"), "{text}");
}
