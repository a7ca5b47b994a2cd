//! What lies where.

use std::path::Path;

use super::assert_none;

/// Folders and documents of the top level.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Makefile",
    "README.md",
    "backup",
    "benchmarks",
    "bin",
    "docker",
    "docs",
    "engine",
    "shard",
    "wal",
];
/// What tools want to find at the top level, or put there.
const TOOLS: &[&str] = &[
    "Cargo.lock",
    "LICENSE",
    "clippy.toml",
    "deny.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "target",
];

fn check_top<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let unknown = names.filter(|name| !name.starts_with('.') && !TOP.contains(name) && !TOOLS.contains(name));
    unknown
        .map(|name| format!("{name} does not belong to the top level"))
        .collect()
}

#[test]
fn the_top_level_holds_only_what_the_architecture_names() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let entries = std::fs::read_dir(top).unwrap();
    let names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().any(|name| name == "engine"), "{names:?}");
    assert_none(check_top(names.iter().map(String::as_str)));
}

#[test]
fn a_new_folder_at_the_top_level_is_found() {
    assert_eq!(
        check_top(["engine", ".ci", "utils"].into_iter()),
        ["utils does not belong to the top level"]
    );
}
