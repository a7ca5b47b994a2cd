use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use proptest::prelude::*;

use super::{ChannelBinding, Dsn, Endpoint, RootCertificates, SslMode, keywords, password};
use crate::{Class, Error};

fn nothing(_: &str) -> Option<String> {
    None
}

fn parse(text: &str) -> Dsn {
    Dsn::parse(text, |name| (name == "USER").then(|| "me".to_owned())).expect(text)
}

fn refuse(text: &str) -> Error {
    let error = Dsn::parse(text, nothing).expect_err(text);
    assert_eq!(error.class(), Class::Definite);
    error
}

#[test]
fn keywords_and_urls_mean_the_same() {
    let pairs = "host=db.example.org port=5433 user=ann password='p w' dbname=app sslmode=require application_name=x";
    let url = "postgresql://ann:p%20w@db.example.org:5433/app?sslmode=require&application_name=x";
    assert_eq!(parse(pairs), parse(url));
    assert_eq!(parse(pairs), parse(&url.replace("postgresql:", "postgres:")));
    assert_eq!(parse(pairs).password().unwrap().unwrap().expose(), "p w");
}

#[test]
fn spaces_quotes_and_backslashes_follow_libpq() {
    let dsn = parse(r" host = 'a b'  user=it\'s dbname='x\\y\'z'port=1 options=-c\ a=b ");
    assert_eq!(dsn.user(), "it's");
    assert_eq!(dsn.database(), r"x\y'z");
    assert_eq!((dsn.port(), dsn.options()), (1, Some("-c a=b")));
}

#[test]
fn a_syntax_error_names_its_offset() {
    for (text, at) in [
        ("host", 4),
        ("host=a port", 11),
        ("user='a", 7),
        ("postgresql://[::1", 17),
        ("postgresql://[::1]x", 18),
        ("postgresql://h/d%zz", 16),
        ("postgresql://h/d%00", 16),
        ("postgresql://h?a", 16),
        ("postgresql://h%ff", 13),
    ] {
        let error = refuse(text);
        assert!(
            matches!(error, Error::DsnSyntax { offset, .. } if offset == at),
            "{text}: {error}"
        );
    }
}

#[test]
fn wrong_values_are_refused_without_repeating_them() {
    for text in [
        "port=0",
        "port=x",
        "port=65536",
        "port=1,2",
        "hostaddr=name",
        "host=a,b",
        "sslmode=allow",
        "sslmode=verify-full",
        "sslmode=require sslrootcert=system",
        "sslcert=/a",
        "connect_timeout=-1",
        "channel_binding=maybe",
    ] {
        assert!(matches!(refuse(text), Error::DsnValue { .. }), "{text}");
    }
    assert!(matches!(refuse("passwrod=secret"), Error::DsnKeyword { .. }));
    assert!(!refuse("passwrod=secret").to_string().contains("secret"));
    assert!(matches!(refuse("host=a"), Error::UserMissing));
}

#[test]
fn endpoints_follow_host_and_hostaddr() {
    let names = |text: &str| {
        parse(text)
            .endpoints()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("port=6"), ["/var/run/postgresql/.s.PGSQL.6", "localhost:6"]);
    assert_eq!(names("host=/tmp/x port=6"), ["/tmp/x/.s.PGSQL.6"]);
    assert_eq!(names("postgresql://%2Ftmp%2Fx:6/"), ["/tmp/x/.s.PGSQL.6"]);
    assert_eq!(names("host=h hostaddr=10.0.0.1"), ["h(10.0.0.1):5432"]);
    assert_eq!(names("postgresql://[::1]:7/d"), ["::1:7"]);
    let ipv6 = Endpoint::Tcp {
        host: "::1".into(),
        address: None,
        port: 7,
    };
    assert_eq!(parse("postgresql://[::1]:7/d").endpoints(), [ipv6]);
}

#[test]
fn absent_keywords_have_libpqs_defaults() {
    let dsn = parse("");
    assert_eq!((dsn.user(), dsn.database(), dsn.port()), ("me", "me", 5432));
    assert_eq!(
        (dsn.ssl_mode(), dsn.channel_binding()),
        (SslMode::Prefer, ChannelBinding::Prefer)
    );
    assert_eq!(
        parse("connect_timeout=0").connect_timeout(),
        super::CONNECT_TIMEOUT_DEFAULT
    );
    assert_eq!(parse("connect_timeout=3").connect_timeout(), Duration::from_secs(3));
    assert_eq!(parse("fallback_application_name=a").application_name(), Some("a"));
    let system = parse("sslmode=verify-full sslrootcert=system");
    assert_eq!(system.ssl_root_certificates(), Some(&RootCertificates::System));
    assert_eq!(parse("postgres://h/?ssl=true").ssl_mode(), SslMode::Require);
}

#[test]
fn no_text_shows_the_password() {
    let dsn = parse("postgresql://ann:hush@h/d");
    assert!(!format!("{dsn} {dsn:?} {:?}", dsn.password().unwrap()).contains("hush"));
}

#[test]
fn a_password_comes_from_the_string_then_the_environment_then_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pgpass");
    let lines = "# comment\nother:*:*:*:no\nh:5432:d\\:b:u\\\\:from\\:file:ignored\n*:*:*:*:rest\n";
    std::fs::write(&file, lines).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let found = |dsn: &str, variables: &[(&str, &str)]| {
        let dsn = parse(dsn);
        let variable = |name: &str| variables.iter().find(|v| v.0 == name).map(|v| v.1.to_owned());
        password::find(&dsn, dsn.database(), variable)
            .unwrap()
            .map(|p| p.expose().to_owned())
    };
    let path = file.to_str().unwrap();
    let both = [("PGPASSWORD", "env"), ("PGPASSFILE", path)];
    assert_eq!(found("password=own", &both).as_deref(), Some("own"));
    assert_eq!(found("", &both).as_deref(), Some("env"));
    assert_eq!(
        found(r"host=h user=u\\ dbname=d:b", &both[1..]).as_deref(),
        Some("from:file")
    );
    assert_eq!(found("host=h", &both[1..]).as_deref(), Some("rest"));
    assert_eq!(found("host=h", &[]), None);
    assert_eq!(found("host=h", &[("HOME", path)]), None);
}

#[test]
fn a_password_file_that_others_may_read_is_refused_when_named_and_passed_over_when_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(".pgpass");
    std::fs::write(&file, "*:*:*:*:x\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let named = parse(&format!("passfile={}", file.display()));
    let error = password::find(&named, "d", nothing).unwrap_err();
    assert!(matches!(error, Error::FileExposed { mode: 0o644, .. }), "{error}");
    let home = |name: &str| (name == "HOME").then(|| directory.path().display().to_string());
    assert_eq!(password::find(&parse(""), "d", home).unwrap(), None);
    let missing = parse("passfile=/nonexistent/pgpass");
    assert!(matches!(
        password::find(&missing, "d", nothing),
        Err(Error::File { .. })
    ));
}

#[test]
fn a_connection_string_is_read_from_a_configuration_value() {
    use serde::de::value::{Error as ValueError, StrDeserializer};
    use serde::{Deserialize, de::IntoDeserializer};
    let value: StrDeserializer<'_, ValueError> = "user=u host=h".into_deserializer();
    assert_eq!(Dsn::deserialize(value).unwrap(), parse("user=u host=h"));
}

proptest! {
    #[test]
    fn any_value_survives_quoting(value in "[^\0]*", next in "[a-z]{1,8}") {
        let text = format!("user={} dbname={next}", keywords::quote(&value));
        let pairs = keywords::parse(&text).unwrap();
        prop_assert_eq!(pairs, [("user".to_owned(), value), ("dbname".to_owned(), next)]);
    }

    #[test]
    fn a_printed_string_reads_back_as_the_same_place(
        user in "[^\0]{1,9}", database in "[^\0]{1,9}", name in "[^\0]{0,9}", port in 1_u16..,
    ) {
        let text = format!("user={} port={port} password=hush", keywords::quote(&user));
        let dsn = parse(&text).with_database(database).with_application_name(name);
        let printed = parse(&dsn.to_string());
        prop_assert_eq!(printed.to_string(), dsn.to_string());
        prop_assert_eq!((printed.user(), printed.database(), printed.port()), (dsn.user(), dsn.database(), dsn.port()));
    }

    #[test]
    fn any_text_parses_or_fails_within_itself(text in "(postgres://)?[a-z=' \\\\%@:/?&\\[\\]é0-9]{0,40}") {
        if let Err(Error::DsnSyntax { offset, .. }) = Dsn::parse(&text, nothing) {
            prop_assert!(offset <= text.len());
        }
    }
}
