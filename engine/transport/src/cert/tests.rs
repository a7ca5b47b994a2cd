use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn authority(cluster: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    init_ca(directory.path(), &cluster.parse().unwrap()).unwrap();
    directory
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_certificate_speaks_for_the_authoritys_cluster_and_the_node() {
    let ca = authority("prod");
    let out = ca.path().join("n1");
    issue(
        ca.path(),
        &out,
        "n1".parse().unwrap(),
        &["db.example.org".to_owned(), "10.0.0.1".to_owned()],
    )
    .unwrap();
    let der = CertificateDer::from_pem_slice(&fs::read(out.join(NODE_CERTIFICATE)).unwrap()).unwrap();
    assert_eq!(
        PeerName::from_certificate(&der).unwrap().to_string(),
        "synapse://prod/n1"
    );
}

#[test]
fn keys_are_readable_by_their_owner_alone_and_no_temporary_file_stays() {
    let ca = authority("prod");
    let out = ca.path().join("n1");
    issue(ca.path(), &out, "n1".parse().unwrap(), &[]).unwrap();
    assert_eq!(mode(&ca.path().join(CA_KEY)), 0o600);
    assert_eq!(mode(&out.join(NODE_KEY)), 0o600);
    let mut names: Vec<_> = fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [NODE_CERTIFICATE, NODE_KEY]);
}

#[test]
fn nothing_is_ever_overwritten() {
    let ca = authority("prod");
    let before = fs::read(ca.path().join(CA_KEY)).unwrap();
    let error = init_ca(ca.path(), &"prod".parse().unwrap()).unwrap_err();
    assert!(
        matches!(&error, Error::Exists { .. }) && error.to_string().contains("hint:"),
        "{error}"
    );
    assert_eq!(fs::read(ca.path().join(CA_KEY)).unwrap(), before);
    let out = ca.path().join("n1");
    issue(ca.path(), &out, "n1".parse().unwrap(), &[]).unwrap();
    fs::remove_file(out.join(NODE_CERTIFICATE)).unwrap();
    assert!(matches!(
        issue(ca.path(), &out, "n1".parse().unwrap(), &[]),
        Err(Error::Exists { .. })
    ));
    let racing = files::write_new(ca.path(), CA_KEY, "other", Secrecy::Private);
    assert!(matches!(racing, Err(Error::Exists { .. })));
    assert_eq!(fs::read(ca.path().join(CA_KEY)).unwrap(), before);
}

#[test]
fn issuing_needs_an_authority_of_ours_and_valid_names() {
    let empty = tempfile::tempdir().unwrap();
    let out = empty.path().join("n1");
    let node: NodeId = "n1".parse().unwrap();
    assert!(matches!(
        issue(empty.path(), &out, node, &[]),
        Err(Error::File { action: "read", .. })
    ));
    let ca = authority("prod");
    issue(ca.path(), &out, node, &[]).unwrap();
    // A node's certificate in the authority's place names a node and no cluster.
    fs::copy(out.join(NODE_CERTIFICATE), empty.path().join(CA_CERTIFICATE)).unwrap();
    fs::copy(out.join(NODE_KEY), empty.path().join(CA_KEY)).unwrap();
    assert!(matches!(
        issue(empty.path(), &empty.path().join("n2"), node, &[]),
        Err(Error::Certificate { .. })
    ));
    assert!(matches!(
        issue(ca.path(), &ca.path().join("n3"), node, &["ü".to_owned()]),
        Err(Error::Certificate { .. })
    ));
}

#[test]
fn cluster_names_fit_into_a_uri() {
    for good in ["c", "prod-1", "a_b", &"x".repeat(63)] {
        assert_eq!(good.parse::<ClusterName>().unwrap().as_str(), good);
    }
    for bad in ["", "A", "a/b", "a b", "é", &"x".repeat(64)] {
        assert!(bad.parse::<ClusterName>().is_err(), "{bad:?}");
    }
}
