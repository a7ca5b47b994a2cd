//! Servers that let the daemon in over TLS only.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::cluster::{Cluster, MIXED};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The daemon's user comes over TLS, with a password that it proves on that very channel; the tests' user as before.
const ACCESS: &str = "hostssl all daemon 127.0.0.1/32 scram-sha-256
host all daemon all reject
local all daemon reject
";

#[tokio::test(flavor = "multi_thread")]
async fn every_session_of_the_daemon_is_encrypted_and_the_server_is_who_it_says() {
    let mut cluster = Cluster::start(&MIXED).await;
    let (right, wrong) = (authority("right"), authority("wrong"));
    for node in cluster.names() {
        let roots = secure(&cluster, &node, &right).await;
        let stranger = put(&cluster, &node, "stranger.crt", &wrong.pem());
        let dsn = |roots: &Path| {
            let port = port(&cluster, &node);
            let roots = roots.display();
            format!(
                "host=localhost hostaddr=127.0.0.1 port={port} user=daemon password=secret dbname=app \
                 sslmode=verify-full sslrootcert={roots} channel_binding=require"
            )
        };
        let (of_right, of_wrong) = (dsn(&roots), dsn(&stranger));
        let refused = check(&cluster, &node, &of_wrong);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
        assert_eq!(
            refused.status.code(),
            Some(3),
            "an authority that did not sign the certificate: {said}"
        );
        assert!(said.contains("certificate"), "{said}");
        let in_the_clear = check(
            &cluster,
            &node,
            &of_right.replace("verify-full", "disable").replace("require", "disable"),
        );
        assert_eq!(
            in_the_clear.status.code(),
            Some(3),
            "the server lets nobody in without TLS"
        );
        cluster.reconfigure(&node, |text| with_dsn(text, &of_right)).await;
    }
    cluster.until_ready().await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    for (from, node) in [(0, "n1"), (1000, "n2")] {
        let rows = format!("INSERT INTO t SELECT g, '{node}' FROM generate_series({from} + 1, {from} + 500) g");
        cluster.sql(node, &rows).await;
    }
    cluster.equal(&["t"]).await;
    for node in cluster.names() {
        assert_eq!(cluster.number(&node, "SELECT count(*) FROM t").await, 1000);
        let sessions = "SELECT bool_and(ssl) AND bool_or(backend_type = 'walsender') AND count(*) > 3 \
                        FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'daemon'";
        cluster.until_value(&node, sessions, "t").await;
        let others =
            "SELECT count(*) FROM pg_stat_activity WHERE usename <> 'daemon' AND application_name LIKE 'synapsed%'";
        assert_eq!(cluster.number(&node, others).await, 0);
    }
}

/// Gives a node's server a certificate for localhost, and the daemon a user. Answers with the authority's file.
async fn secure(cluster: &Cluster, node: &str, issuer: &Issuer) -> PathBuf {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    put(cluster, node, "own.crt", &params.signed_by(&key, issuer).unwrap().pem());
    put(cluster, node, "own.key", &key.serialize_pem());
    let hba = cluster.node(node).data_dir.join("pg_hba.conf");
    let before = fs::read_to_string(&hba).unwrap();
    fs::write(&hba, format!("{ACCESS}{before}")).unwrap();
    for sql in [
        "CREATE ROLE daemon SUPERUSER LOGIN REPLICATION PASSWORD 'secret'",
        "ALTER SYSTEM SET ssl_cert_file = 'own.crt'",
        "ALTER SYSTEM SET ssl_key_file = 'own.key'",
        "ALTER SYSTEM SET ssl = on",
        "SELECT pg_reload_conf()",
    ] {
        cluster.sql(node, sql).await;
    }
    cluster.until_value(node, "SHOW ssl", "on").await;
    put(cluster, node, "authority.crt", &issuer.pem())
}

/// A file that the server's user alone may read.
fn put(cluster: &Cluster, node: &str, name: &str, text: &str) -> PathBuf {
    let dir = &cluster.node(node).data_dir;
    let (path, owner) = (dir.join(name), fs::metadata(dir).unwrap());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    path
}

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A configuration with another connection string.
fn with_dsn(text: &str, dsn: &str) -> String {
    let line = |line: &str| {
        if line.starts_with("dsn") {
            format!("dsn = \"{dsn}\"")
        } else {
            line.to_owned()
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn port(cluster: &Cluster, node: &str) -> String {
    let dsn = &cluster.node(node).dsn;
    let port = dsn.split_whitespace().find_map(|word| word.strip_prefix("port="));
    port.expect("a sandbox's connection string names the port").to_owned()
}

/// Runs `synapsed --check` with another connection string.
fn check(cluster: &Cluster, node: &str, dsn: &str) -> Output {
    let text = fs::read_to_string(&cluster.node(node).config).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("synapse.toml");
    fs::write(&config, with_dsn(&text, dsn)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapsed"));
    command.arg("--check").arg("--config").arg(&config).output().unwrap()
}
