use super::*;

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\npostgres:x:101:104::/:/bin/sh\n";

#[test]
fn a_user_is_found_by_its_whole_name() {
    assert_eq!(
        find(PASSWD, "postgres"),
        Some(Owner::Other {
            name: "postgres".to_owned(),
            uid: 101,
            gid: 104
        })
    );
    assert_eq!(find(PASSWD, "post"), None);
}

#[test]
fn the_most_specific_permission_bit_decides() {
    for (mode, is_owner, in_group, expected) in [
        (0o755, false, false, true),
        (0o700, false, false, false),
        (0o700, true, false, true),
        (0o750, false, true, true),
        (0o705, false, true, false),
        (0o077, true, true, false),
    ] {
        assert_eq!(
            may_enter(mode, is_owner, in_group),
            expected,
            "{mode:o} {is_owner} {in_group}"
        );
    }
}

#[test]
fn the_first_closed_ancestor_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open");
    let closed = open.join("closed");
    for (path, mode) in [(&open, 0o755), (&closed, 0o700)] {
        fs::DirBuilder::new().mode(mode).create(path).unwrap();
    }
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let stranger = Owner::Other {
        name: "postgres".to_owned(),
        uid: 4_000_001,
        gid: 4_000_001,
    };
    let barred = stranger.barred_from(&closed.join("sandbox/n1")).unwrap();
    // The temporary directory itself may lie under a closed one when tests do not run as root.
    let expected = stranger.barred_from(&open).unwrap().unwrap_or(closed);
    assert_eq!(barred, Some(expected));
}

#[test]
fn the_calling_user_is_barred_from_nothing() {
    assert_eq!(Owner::Caller.barred_from(Path::new("/root/x/y")).unwrap(), None);
}
