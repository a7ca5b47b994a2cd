//! Versions and lints stand in one place.

use super::{Package, assert_none, packages};

const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

fn check_manifest(name: &str, text: &str) -> Vec<String> {
    let manifest: toml::Table = text.parse().unwrap();
    let inherits = |value: &toml::Value| value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
    let platforms = manifest
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flat_map(|table| table.values());
    let parts = platforms.filter_map(toml::Value::as_table).chain([&manifest]);
    let tables = parts.flat_map(|part| TABLES.iter().filter_map(|table| part.get(*table)?.as_table()));
    let mut complaints: Vec<String> = tables
        .flat_map(|table| table.iter())
        .filter(|(_, value)| !inherits(value))
        .map(|(dependency, _)| format!("{name}: {dependency} has its own version; say {dependency}.workspace = true"))
        .collect();
    if !manifest.get("lints").is_some_and(inherits) {
        complaints.push(format!("{name}: say workspace = true under [lints]"));
    }
    complaints
}

#[test]
fn every_dependency_has_its_version_from_the_workspace() {
    let check =
        |package: &Package| check_manifest(&package.name, &std::fs::read_to_string(&package.manifest_path).unwrap());
    assert_none(packages().iter().flat_map(check).collect());
}

#[test]
fn a_version_or_a_path_in_a_package_is_found() {
    let lints = "[lints]\nworkspace = true\n";
    for bad in [
        "[dependencies]\nserde = \"1\"\n",
        "[dev-dependencies]\nserde = { version = \"1\" }\n",
        "[dependencies]\nserde = { path = \"../serde\" }\n",
        "[target.'cfg(unix)'.dependencies]\nserde = \"1\"\n",
    ] {
        assert_eq!(check_manifest("p", &format!("{lints}{bad}")).len(), 1, "{bad}");
    }
    assert_none(check_manifest(
        "p",
        &format!("{lints}[dependencies]\nserde = {{ workspace = true, features = [] }}\n"),
    ));
}

#[test]
fn a_package_without_the_workspace_lints_is_found() {
    assert_eq!(check_manifest("p", "[package]\nname = \"p\"\n").len(), 1);
}
