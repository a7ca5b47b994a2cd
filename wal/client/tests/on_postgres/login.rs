use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use synapse_wal_client::{Class, Connection, Dsn, Error, Kind, Session};

use crate::fixture::{Server, logical, value};

const ACCESS: &str = "host all trusted 127.0.0.1/32 trust
host all clear 127.0.0.1/32 password
host all digest 127.0.0.1/32 md5
host all scram 127.0.0.1/32 scram-sha-256
host replication scram 127.0.0.1/32 scram-sha-256";

const ROLES: &str = "CREATE ROLE trusted LOGIN REPLICATION;
SET password_encryption = 'md5'; CREATE ROLE digest LOGIN REPLICATION PASSWORD 'p w';
SET password_encryption = 'scram-sha-256'; CREATE ROLE clear LOGIN REPLICATION PASSWORD 'p w';
CREATE ROLE scram LOGIN REPLICATION PASSWORD 'p w';";

#[tokio::test]
async fn every_method_lets_the_right_password_in_and_no_other() {
    let server = Server::start("", ACCESS);
    server.sql().await.query(ROLES).await.unwrap();
    let mut trusted = logical(&server.tcp("user=trusted")).await.unwrap();
    assert_eq!(
        value(&mut trusted, "SELECT current_user").await.as_deref(),
        Some("trusted")
    );
    for user in ["clear", "digest", "scram"] {
        let mut session = logical(&server.tcp(&format!("user={user} password='p w'")))
            .await
            .unwrap();
        assert_eq!(value(&mut session, "SELECT current_user").await.as_deref(), Some(user));
        let wrong = logical(&server.tcp(&format!("user={user} password=x")))
            .await
            .unwrap_err();
        assert!(
            matches!(&wrong, Error::Auth { server, .. } if server.code == "28P01"),
            "{user}: {wrong}"
        );
        assert_eq!(wrong.class(), Class::Definite);
        let missing = logical(&server.tcp(&format!("user={user} passfile=/dev/null")))
            .await
            .unwrap_err();
        assert!(matches!(missing, Error::PasswordMissing { .. }), "{user}: {missing}");
    }
    let stranger = logical(&server.tcp("user=stranger")).await.unwrap_err();
    assert!(
        matches!(&stranger, Error::Auth { server, .. } if server.code == "28000"),
        "{stranger}"
    );
    let nowhere = logical(&server.tcp("user=trusted").with_database("nowhere"))
        .await
        .unwrap_err();
    assert!(
        matches!(&nowhere, Error::Server(server) if server.code == "3D000"),
        "{nowhere}"
    );
    let bound = logical(&server.tcp("user=scram password='p w' channel_binding=require"))
        .await
        .unwrap_err();
    assert!(matches!(bound, Error::ChannelBinding), "{bound}");
}

#[tokio::test]
async fn a_password_file_serves_logical_and_physical_sessions() {
    let server = Server::start("", ACCESS);
    server.sql().await.query(ROLES).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pass");
    std::fs::write(
        &file,
        "localhost:*:postgres:scram:p w\nlocalhost:*:replication:scram:p w\n",
    )
    .unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let dsn = server.tcp(&format!("user=scram passfile={}", file.display()));
    for kind in [Kind::Logical, Kind::Physical] {
        let mut session = Connection::connect(&dsn, kind, &Session::default()).await.unwrap();
        let database = session.identify_system().await.unwrap().database;
        assert_eq!(database.is_some(), kind == Kind::Logical);
        session.close().await.unwrap();
    }
    let other = dsn.with_database("template1");
    assert!(matches!(logical(&other).await, Err(Error::PasswordMissing { .. })));
}

#[tokio::test]
async fn where_nothing_listens_the_connection_is_refused() {
    let free = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let directory = tempfile::tempdir().unwrap();
    for host in ["127.0.0.1".to_owned(), directory.path().display().to_string()] {
        let dsn: Dsn = format!("host={host} port={free} user=u").parse().unwrap();
        let error = logical(&dsn).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert_eq!(error.class(), Class::Transient);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    for mode in ["disable", "require"] {
        let keywords = format!("host=127.0.0.1 port={port} user=u connect_timeout=1 sslmode={mode}");
        let error = logical(&keywords.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, Error::ConnectTimeout { .. }), "{error}");
        assert_eq!(error.class(), Class::Transient);
    }
}
