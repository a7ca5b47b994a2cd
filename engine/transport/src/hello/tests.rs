use super::*;

fn hello(cluster: &str, node: &str) -> Hello {
    Hello {
        software: "0.1.0".to_owned(),
        cluster: cluster.parse().unwrap(),
        node: node.parse().unwrap(),
        incarnation: Incarnation(7),
        pg_major: 15,
    }
}

fn certificate(cluster: &str, node: &str) -> PeerName {
    PeerName {
        cluster: cluster.parse().unwrap(),
        node: node.parse().unwrap(),
    }
}

#[test]
fn hello_survives_the_wire() {
    let sent = hello("prod-1", "n1");
    assert_eq!(Hello::decode(&sent.encode()).unwrap(), sent);
}

#[test]
fn another_version_is_told_apart_before_anything_else_is_read() {
    let mut bytes = hello("c", "n1").encode().to_vec();
    bytes[8..10].copy_from_slice(&9u16.to_le_bytes());
    bytes.truncate(10);
    assert_eq!(
        Hello::decode(&bytes),
        Err(Refusal::Version {
            ours: PROTOCOL_VERSION,
            theirs: 9
        })
    );
}

#[test]
fn malformed_hellos_are_refused_as_bugs() {
    let good = hello("c", "n1").encode().to_vec();
    let mut wrong_magic = good.clone();
    wrong_magic[0] = b'X';
    let trailing = [good.as_slice(), b"x"].concat();
    for bytes in [&b""[..], &good[..9], &good[..good.len() - 1], &wrong_magic, &trailing] {
        assert_eq!(Hello::decode(bytes).unwrap_err().class(), Class::Bug, "{bytes:?}");
    }
}

#[test]
fn only_another_node_of_the_cluster_under_its_own_certificate_is_admitted() {
    let ours = hello("c", "n1");
    let admit = |cluster, node, cert| ours.admit(&hello(cluster, node), &cert);
    assert_eq!(admit("c", "n2", certificate("c", "n2")), Ok(()));
    assert_eq!(
        admit("c", "n1", certificate("c", "n1")),
        Err(Refusal::SameNode("n1".parse().unwrap()))
    );
    assert!(matches!(
        admit("d", "n2", certificate("c", "n2")),
        Err(Refusal::OtherCluster { .. })
    ));
    for cert in [certificate("c", "n3"), certificate("d", "n2")] {
        assert!(matches!(
            admit("c", "n2", cert),
            Err(Refusal::CertificateMismatch { .. })
        ));
    }
}

#[test]
fn a_refusal_reaches_the_peer_with_class_and_text() {
    let refusal = Refusal::SameNode("n1".parse().unwrap());
    let Error::RefusedByPeer { class, text } = refused_by_peer(&refusal.encode()) else {
        panic!("not a refusal")
    };
    assert_eq!((class, text), (Class::Definite, refusal.to_string()));
    assert!(matches!(refused_by_peer(b"\xff"), Error::Violation(_)));
}

#[test]
fn a_peers_text_is_one_printable_line_of_bounded_length() {
    assert_eq!(clip("a\nb\u{1b}[1m", 100), "a b [1m");
    assert_eq!(clip("aéé", 4), "aé");
}
