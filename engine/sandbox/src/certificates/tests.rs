use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn certificates_are_made_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (ca_dir, node_dir) = (dir.path().join("ca"), dir.path().join("n1"));
    let paths = files(&ca_dir, &node_dir);
    let make = || {
        make_authority(&ca_dir, "sandbox", &Owner::Caller).unwrap();
        make_certificate(&ca_dir, &node_dir, "n1", &Owner::Caller).unwrap();
        [&paths.ca, &paths.certificate, &paths.key].map(|path| std::fs::read(path).unwrap())
    };
    assert_eq!(make(), make());
    assert_eq!(
        std::fs::metadata(&paths.key).unwrap().permissions().mode() & 0o777,
        0o600
    );
}
