//! How large files grow, and what is not written in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{assert_none, packages};

/// Lines at which a file wants a reason.
const LINES_WARN: usize = 500;
/// Lines that no file may exceed.
const LINES_MAX: usize = 800;
/// A `lib.rs` is a map.
const LIB_LINES_MAX: usize = 150;
/// A `main.rs` reads its arguments and calls.
const MAIN_LINES_MAX: usize = 80;

/// What is written nowhere. Each is put together here, so that this file does not hold it.
const BANNED: &[(&str, &str)] = &[
    (concat!("#[", "allow("), "say #[expect(…, reason = …)]"),
    (concat!("#![", "allow("), "say #![expect(…, reason = …)]"),
    (concat!("#[", "ignore"), "a test that does not run is no test"),
    (concat!("todo", "!("), "no stubs"),
    (concat!("unimplemented", "!("), "no stubs"),
];

/// One source file.
struct Source {
    path: PathBuf,
    text: String,
    /// Compiled for tests alone.
    is_test: bool,
}

fn check_length(path: &Path, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let limit = if path.ends_with("src/lib.rs") {
        LIB_LINES_MAX
    } else if path.ends_with("main.rs") && path.components().any(|part| part.as_os_str() == "src") {
        MAIN_LINES_MAX
    } else {
        LINES_MAX
    };
    if lines > LINES_WARN {
        println!("warning: {} has {lines} lines", path.display());
    }
    if lines > limit {
        vec![format!("{}: {lines} lines, at most {limit}", path.display())]
    } else {
        Vec::new()
    }
}

fn check_words(path: &Path, text: &str) -> Vec<String> {
    let complain = |(number, line): (usize, &str)| {
        let found = BANNED.iter().filter(|(word, _)| line.contains(word));
        found
            .map(|(word, why)| format!("{}:{}: {word} … {why}", path.display(), number + 1))
            .collect::<Vec<_>>()
    };
    code_lines(text).flat_map(complain).collect()
}

fn check_unwrap(path: &Path, text: &str) -> Vec<String> {
    let before_tests = text.find("#[cfg(test)]\nmod tests {").map_or(text, |at| &text[..at]);
    let unwraps = code_lines(before_tests).filter(|(_, line)| line.contains(".unwrap()"));
    unwraps
        .map(|(number, _)| format!("{}:{}: .unwrap() outside of tests", path.display(), number + 1))
        .collect()
}

/// Lines that are no comment, with their index.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The names of the modules that a file declares for tests alone.
fn test_modules(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[cfg(test)]\n").skip(1).filter_map(|after| {
        let line = after.lines().next()?.trim();
        let (_, name) = line.strip_suffix(';')?.rsplit_once("mod ")?;
        Some(name)
    })
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for package in packages() {
        for directory in ["src", "tests", "benches", "examples"] {
            collect(&package.directory().join(directory), &mut files);
        }
    }
    assert!(files.len() > 50, "the walk found only {} files", files.len());
    let files: Vec<(PathBuf, String)> = files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect();
    let tests: BTreeSet<PathBuf> = files
        .iter()
        .flat_map(|(path, text)| declared_for_tests(path, text))
        .collect();
    files
        .into_iter()
        .map(|(path, text)| Source {
            is_test: is_test(&path, &tests),
            path,
            text,
        })
        .collect()
}

/// Where the modules that `path` declares for tests may lie, without the ending `.rs`.
fn declared_for_tests(path: &Path, text: &str) -> Vec<PathBuf> {
    let directory = path.parent().unwrap();
    let stem = path.file_stem().unwrap();
    let is_root = ["lib", "main", "mod"].iter().any(|root| stem == *root);
    let home = if is_root {
        directory.to_owned()
    } else {
        directory.join(stem)
    };
    test_modules(text).map(|name| home.join(name)).collect()
}

fn is_test(path: &Path, tests: &BTreeSet<PathBuf>) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path
            .with_extension("")
            .ancestors()
            .any(|ancestor| tests.contains(ancestor))
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn no_file_is_too_long() {
    assert_none(
        sources()
            .iter()
            .flat_map(|source| check_length(&source.path, &source.text))
            .collect(),
    );
}

#[test]
fn nothing_is_allowed_ignored_or_left_to_do() {
    assert_none(
        sources()
            .iter()
            .flat_map(|source| check_words(&source.path, &source.text))
            .collect(),
    );
}

#[test]
fn nothing_is_unwrapped_outside_of_tests() {
    let sources = sources();
    let shipped = sources.iter().filter(|source| !source.is_test);
    assert_none(
        shipped
            .flat_map(|source| check_unwrap(&source.path, &source.text))
            .collect(),
    );
}

#[test]
fn a_file_that_is_too_long_is_found() {
    for (name, limit) in [
        ("p/src/lib.rs", LIB_LINES_MAX),
        ("p/src/tool/main.rs", MAIN_LINES_MAX),
        ("p/src/apply.rs", LINES_MAX),
        ("p/tests/scenario/main.rs", LINES_MAX),
    ] {
        assert_none(check_length(Path::new(name), &"\n".repeat(limit)));
        assert_eq!(
            check_length(Path::new(name), &"\n".repeat(limit + 1)).len(),
            1,
            "{name}"
        );
    }
}

#[test]
fn each_banned_word_is_found_in_code_and_not_in_comments() {
    for (word, _) in BANNED {
        assert_eq!(
            check_words(Path::new("a.rs"), &format!("fn f() {{\n    {word}")).len(),
            1,
            "{word}"
        );
        assert_none(check_words(Path::new("a.rs"), &format!("    // {word}")));
    }
}

#[test]
fn an_unwrap_before_the_tests_is_found_and_one_within_is_not() {
    let within = "#[cfg(test)]\nmod tests {\n    x.unwrap();\n}\n";
    assert_none(check_unwrap(Path::new("a.rs"), within));
    assert_eq!(
        check_unwrap(Path::new("a.rs"), &format!("x.unwrap();\n{within}")),
        ["a.rs:1: .unwrap() outside of tests"]
    );
}

#[test]
fn a_module_for_tests_is_known_wherever_its_parent_lies() {
    let text = "mod a;\n#[cfg(test)]\nmod laws;\n#[cfg(test)]\npub(crate) mod tests;\n";
    assert_eq!(test_modules(text).collect::<Vec<_>>(), ["laws", "tests"]);
    let of_root: BTreeSet<_> = declared_for_tests(Path::new("src/lib.rs"), text).into_iter().collect();
    let of_file: BTreeSet<_> = declared_for_tests(Path::new("src/up.rs"), text).into_iter().collect();
    assert!(is_test(Path::new("src/laws.rs"), &of_root));
    assert!(is_test(Path::new("src/up/laws/more.rs"), &of_file));
    assert!(!is_test(Path::new("src/a.rs"), &of_root));
}
