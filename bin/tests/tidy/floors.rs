//! Who may use whom.

use super::{Package, assert_none, packages};

/// The floor of every package: it may use what stands on lower floors, never its own.
const FLOORS: &[(&str, u8)] = &[
    ("synapse-wal-types", 0),
    ("synapse-engine-identity", 1),
    ("synapse-wal-pgoutput", 1),
    ("synapse-wal-xlog", 1),
    ("synapse-engine-change", 2),
    ("synapse-engine-replication", 2),
    ("synapse-wal-client", 2),
    ("synapse-engine-transport", 2),
    ("synapse-engine-journal", 3),
    ("synapse-engine-plan", 3),
    ("synapse-engine-apply", 4),
    ("synapse-engine-setup", 4),
    ("synapse-engine-sim", 4),
    ("synapse-engine-node", 5),
    ("synapse-engine-sandbox", 6),
    ("synapse-bin", 7),
    ("synapse-benchmarks", 7),
];

/// Packages without runtime, clock and randomness.
const PURE: &[&str] = &[
    "synapse-wal-types",
    "synapse-wal-pgoutput",
    "synapse-wal-xlog",
    "synapse-engine-identity",
    "synapse-engine-change",
    "synapse-engine-replication",
    "synapse-engine-plan",
    "synapse-engine-sim",
];

/// What a pure package must not need.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "tokio-postgres",
    "tokio-rustls",
    "rustls",
    "rand",
    "rustix",
    "ureq",
];

/// What a pure package's `clippy.toml` must ban; it replaces the root's, whose bans it repeats.
const BANS: &[&str] = &[
    "std::thread::sleep",
    "std::thread::spawn",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::env::var",
];

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

fn check_floors(name: &str, needs: &[&str]) -> Vec<String> {
    let Some(own) = floor(name) else {
        return vec![format!(
            "{name} has no floor: give it one, here and in docs/architecture.md"
        )];
    };
    let ours = needs.iter().filter(|need| need.starts_with("synapse-"));
    ours.filter(|need| floor(need).is_none_or(|theirs| theirs >= own))
        .map(|need| format!("{name} (floor {own}) uses {need}, which does not stand below it"))
        .collect()
}

fn check_purity(name: &str, needs: &[&str], clippy: &str) -> Vec<String> {
    if !PURE.contains(&name) {
        return Vec::new();
    }
    let impure = needs
        .iter()
        .filter(|need| IMPURE.contains(need))
        .map(|need| format!("{name} is pure and uses {need}"));
    let lacking = BANS.iter().filter(|ban| !clippy.contains(&format!("\"{ban}\"")));
    impure
        .chain(lacking.map(|ban| format!("{name} is pure and its clippy.toml does not ban {ban}")))
        .collect()
}

fn clippy_of(package: &Package) -> String {
    std::fs::read_to_string(package.directory().join("clippy.toml")).unwrap_or_default()
}

#[test]
fn every_dependency_points_strictly_down() {
    let check = |package: &Package| check_floors(&package.name, &package.needs().collect::<Vec<_>>());
    assert_none(packages().iter().flat_map(check).collect());
}

#[test]
fn pure_packages_need_no_runtime_clock_or_randomness() {
    let check =
        |package: &Package| check_purity(&package.name, &package.needs().collect::<Vec<_>>(), &clippy_of(package));
    assert_none(packages().iter().flat_map(check).collect());
}

#[test]
fn every_package_of_the_table_is_there() {
    let packages = packages();
    let missing = FLOORS
        .iter()
        .filter(|(name, _)| !packages.iter().any(|package| package.name == *name));
    assert_none(
        missing
            .map(|(name, _)| format!("{name} has a floor and does not exist"))
            .collect(),
    );
}

#[test]
fn a_dependency_upwards_or_on_the_same_floor_is_found() {
    assert_eq!(
        check_floors(
            "synapse-engine-plan",
            &["synapse-engine-apply", "synapse-wal-types", "serde"]
        )
        .len(),
        1
    );
    assert_eq!(check_floors("synapse-engine-apply", &["synapse-engine-setup"]).len(), 1);
    assert_eq!(check_floors("synapse-engine-plan", &["synapse-no-floor"]).len(), 1);
    assert_none(check_floors("synapse-engine-apply", &["synapse-engine-plan"]));
}

#[test]
fn a_package_without_a_floor_is_found() {
    assert_eq!(check_floors("synapse-new", &[]).len(), 1);
}

#[test]
fn a_pure_package_with_a_runtime_or_without_bans_is_found() {
    let bans: String = BANS.iter().map(|ban| format!("{{ path = \"{ban}\" }},")).collect();
    assert_none(check_purity("synapse-engine-plan", &["serde"], &bans));
    assert_eq!(check_purity("synapse-engine-plan", &["tokio"], &bans).len(), 1);
    assert_eq!(check_purity("synapse-engine-plan", &[], "").len(), BANS.len());
    assert_none(check_purity("synapse-engine-node", &["tokio"], ""));
}
