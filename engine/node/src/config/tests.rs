use std::time::Duration;

use super::{Bytes, Config};

const EXAMPLE: &str = include_str!("../../../../docs/synapse.example.toml");

#[test]
fn the_shipped_example_is_a_configuration_and_shows_the_defaults() {
    let config = Config::parse(EXAMPLE).unwrap();
    assert_eq!(config.node.name.as_str(), "n1");
    let without =
        EXAMPLE.split("[replication]").next().unwrap().to_owned() + "[tls]" + EXAMPLE.split("[tls]").nth(1).unwrap();
    let defaults = Config::parse(&without).unwrap();
    assert_eq!(config.conflicts, defaults.conflicts);
    let defaults = defaults.replication;
    let shown = config.replication;
    assert_eq!(shown.exclude, defaults.exclude);
    assert_eq!(shown.max_clock_skew, defaults.max_clock_skew);
    assert_eq!(shown.journal_limit, defaults.journal_limit);
    assert_eq!(shown.memory_limit, defaults.memory_limit);
    assert_eq!(shown.max_nodes, defaults.max_nodes);
    assert_eq!(shown.max_clock_skew, Duration::from_secs(5));
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place_and_what_was_expected() {
    let wrong = [
        ("name = \"n1\"", "name = \"N-1\"", "beginning with a letter"),
        ("name = \"n1\"", "nmae = \"n1\"", "nmae"),
        ("max-clock-skew = \"5s\"", "max-clock-skew = \"soon\"", "max-clock-skew"),
        (
            "journal-limit = \"50GB\"",
            "journal-limit = \"50XB\"",
            "expected a number and B, kB, MB, GB or TB",
        ),
        (
            "memory-limit = \"256MB\"",
            "memory-limit = \"1MB\"",
            "at least \"64MB\"",
        ),
        ("listen = \"127.0.0.1:7402\"", "listen = \"0.0.0.0:7402\"", "loopback"),
        ("max-nodes = 16", "max-nodes = 2", "3 nodes already"),
        ("exclude = []", "exclude = [\"nodot\"]", "schema.table"),
        ("10.0.0.2:7401", "10.0.0.2", "host:port"),
        ("user=synapse", "user", "dsn"),
        ("keep-for = \"30d\"", "keep-for = \"long\"", "keep-for"),
        ("keep-for = \"30d\"", "keep-for = \"101years\"", "at most 100 years"),
        ("log-burst = 1000", "log-burst = -1", "log-burst"),
    ];
    for (right, mistake, expected) in wrong {
        let text = EXAMPLE.replacen(right, mistake, 1);
        assert_ne!(text, EXAMPLE, "{right} does not stand in the example");
        let error = Config::parse(&text).unwrap_err();
        assert!(error.contains(expected), "{mistake}: {error}");
    }
}

#[test]
fn sizes_are_counted_as_postgresql_counts_them() {
    assert_eq!("256MB".parse(), Ok(Bytes(256 << 20)));
    assert_eq!("1 kB".parse(), Ok(Bytes(1024)));
    assert_eq!("7".parse(), Ok(Bytes(7)));
    assert!("".parse::<Bytes>().is_err());
    assert!("99999999999TB".parse::<Bytes>().is_err());
}

#[test]
fn a_password_never_shows() {
    let text = EXAMPLE.replace("dbname=app", "dbname=app password=geheim");
    let config = Config::parse(&text).unwrap();
    assert!(!format!("{config:?}").contains("geheim"));
}
