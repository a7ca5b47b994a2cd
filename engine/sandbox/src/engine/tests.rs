use super::*;

#[test]
fn the_configuration_has_the_documented_keys() {
    let configuration = Configuration {
        node: NodeSection {
            name: "n1",
            data_dir: Path::new("/d/n1/data"),
        },
        postgres: PostgresSection {
            dsn: socket_dsn(Path::new("/d/s"), 7400, "app"),
        },
        cluster: ClusterSection {
            name: "sandbox",
            listen: "127.0.0.1:7401",
            join: vec!["127.0.0.1:7411"],
        },
        api: ApiSection {
            listen: "127.0.0.1:7402",
            token_file: Path::new("/d/token"),
        },
        tls: TlsSection {
            ca: Path::new("/d/ca.crt"),
            certificate: Path::new("/d/c"),
            key: Path::new("/d/k"),
        },
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("synapse.toml");
    configuration.save(&path, &Owner::Caller).unwrap();
    let expected = r#"# Written by synapsectl sandbox.
[node]
name = "n1"
data-dir = "/d/n1/data"

[postgres]
dsn = "host='/d/s' port=7400 user=postgres dbname=app"

[cluster]
name = "sandbox"
listen = "127.0.0.1:7401"
join = ["127.0.0.1:7411"]

[api]
listen = "127.0.0.1:7402"
token-file = "/d/token"

[tls]
ca = "/d/ca.crt"
certificate = "/d/c"
key = "/d/k"
"#;
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
}

#[test]
fn a_socket_path_with_quotes_survives_the_drivers_parser() {
    let dsn = socket_dsn(Path::new("/tmp/it's a\\b"), 7400, "app");
    let config: tokio_postgres::Config = dsn.parse().unwrap();
    assert_eq!(
        config.get_hosts(),
        [tokio_postgres::config::Host::Unix("/tmp/it's a\\b".into())]
    );
    assert_eq!(config.get_ports(), [7400]);
}

#[tokio::test]
async fn a_daemon_that_ends_at_once_is_shown_with_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine {
        node: "n1",
        program: Path::new("/bin/sh"),
        config: Path::new("/no/such/synapse.toml"),
        log: &dir.path().join("log"),
        api: "http://127.0.0.1:1",
        owner: &Owner::Caller,
    };
    let error = match engine.start() {
        Ok(process) => engine.wait(process, Health::Ready).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, Error::NotReady { .. } | Error::Io { .. }), "{error}");
    assert!(std::fs::metadata(dir.path().join("log")).is_ok());
}
