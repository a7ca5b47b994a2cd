use super::*;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn read(query: &[(&str, &str)]) -> Result<Asked, Failure> {
    let query: Vec<_> = query.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    asked(&query, now())
}

#[test]
fn nothing_said_asks_for_the_latest_of_all() {
    let asked = read(&[]).unwrap();
    assert_eq!(asked.filter, Filter::default());
    assert_eq!(
        asked.page,
        Page {
            limit: 20,
            before: None
        }
    );
}

#[test]
fn every_parameter_is_read() {
    let asked = read(&[
        ("table", "public.t' OR true"),
        ("kind", "insert_exists"),
        ("policy", "last-write-wins"),
        ("verdict", "both"),
        ("since", "1h"),
        ("limit", "500"),
        ("before", "7"),
    ]);
    let Asked { filter, page } = asked.unwrap();
    assert_eq!(filter.table.as_deref(), Some("public.t' OR true"));
    assert_eq!(
        (filter.kind, filter.policy.as_deref(), filter.verdict),
        (Some("insert_exists"), Some("last-write-wins"), Some("both"))
    );
    assert_eq!(filter.since, Some(now() - Duration::from_secs(3600)));
    assert_eq!((page.limit, page.before), (500, Some(7)));
}

#[test]
fn a_time_is_read_as_people_and_as_postgresql_write_it() {
    for text in ["2027-01-15T08:00:00Z", "2027-01-15 08:00:00", "2027-01-15 08:00:00+00"] {
        assert_eq!(read(&[("since", text)]).unwrap().filter.since, Some(now()), "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_what_was_expected() {
    for (name, value, expected) in [
        ("kind", "insert", "insert_exists, insert_deleted"),
        ("policy", "none", "last-write-wins"),
        ("verdict", "draw", "remote, local, both"),
        ("since", "yesterday", "1h"),
        ("since", "900 years", "1h"),
        ("limit", "0", "1 to 500"),
        ("limit", "501", "1 to 500"),
        ("before", "-1", "from 1"),
        ("tables", "t", "expected table"),
    ] {
        let refused = format!("{:?}", read(&[(name, value)]).unwrap_err());
        assert!(refused.contains(expected), "{name}={value}: {refused}");
        assert!(refused.contains("400"), "{refused}");
    }
    let twice = format!("{:?}", read(&[("table", "a"), ("table", "b")]).unwrap_err());
    assert!(twice.contains("expected once"), "{twice}");
}
