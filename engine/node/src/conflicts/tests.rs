use super::*;

fn class(kind: &'static str) -> Class {
    Class {
        table: "public.t".to_owned(),
        kind,
        policy: "last-write-wins".to_owned(),
    }
}

fn conflicts(log_rate: u32, log_burst: u32) -> Conflicts {
    Conflicts::new(&ConflictsSection {
        log_rate,
        log_burst,
        ..ConflictsSection::default()
    })
}

#[test]
fn what_is_logged_takes_room_and_what_is_not_is_counted_by_what_it_is() {
    let conflicts = conflicts(0, 10);
    let mut met = Met {
        found: Counts::from([(class("insert_exists"), 6)]),
        left_out: Counts::new(),
        logged: 6,
    };
    met.and(Met {
        found: Counts::from([(class("insert_exists"), 2), (class("delete_missing"), 3)]),
        left_out: Counts::from([(class("delete_missing"), 1)]),
        logged: 4,
    });
    assert_eq!(conflicts.room(Monotonic(1)), 10);
    conflicts.count(Monotonic(1), met);
    assert_eq!(conflicts.room(Monotonic(2)), 0);
    assert_eq!(
        conflicts.found(),
        Counts::from([(class("insert_exists"), 8), (class("delete_missing"), 3)])
    );
    assert_eq!(conflicts.left_out(), Counts::from([(class("delete_missing"), 1)]));
    assert!((conflicts.per_second(Monotonic(2)) - 11.0 / 60.0).abs() < 1e-9);
}

#[test]
fn that_the_log_refuses_is_news_once_until_it_takes_some_again() {
    let conflicts = conflicts(1, 1);
    assert!(conflicts.log_refuses());
    assert!(!conflicts.log_refuses());
    conflicts.log_takes();
    assert!(conflicts.log_refuses());
}
