//! `docs/getting-started.md`, followed to the letter.

use std::path::Path;
use std::process::{Command, Output};

const PAGE: &str = include_str!("../../docs/getting-started.md");

/// The page's blocks, one after the other, in one shell.
fn script(page: &str) -> String {
    let mut script = String::from("set -euo pipefail\n");
    let mut within = false;
    for line in page.lines() {
        match line {
            "```bash" => within = true,
            "```" => within = false,
            line if within => {
                script.push_str(line);
                script.push('\n');
            }
            _ => {}
        }
    }
    script
}

/// Runs as a user that PostgreSQL starts for: `postgres` when the test runs as root.
fn run(script: &Path, home: &Path, path: &str) -> Output {
    let root = rustix::process::geteuid().is_root();
    let mut command = if root {
        Command::new("setpriv")
    } else {
        Command::new("bash")
    };
    if root {
        let chown = Command::new("chown")
            .args(["-R", "postgres"])
            .arg(home)
            .status()
            .expect("chown runs");
        assert!(chown.success());
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "bash"]);
    }
    command
        .arg(script)
        .env("HOME", home)
        .env("PATH", path)
        .current_dir(home)
        .output()
        .expect("the shell runs")
}

/// Where the packager puts initdb, if it is not in `$PATH`.
fn server_programs() -> String {
    let config = Command::new("pg_config")
        .arg("--bindir")
        .output()
        .expect("pg_config of PostgreSQL is installed");
    String::from_utf8(config.stdout)
        .expect("a path in UTF-8")
        .trim()
        .to_owned()
}

#[test]
fn a_reader_of_getting_started_ends_with_three_equal_nodes() {
    let home = tempfile::Builder::new().prefix("gs").tempdir_in("/tmp").unwrap();
    let programs = home.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    for built in [env!("CARGO_BIN_EXE_synapsed"), env!("CARGO_BIN_EXE_synapsectl")] {
        // The build's directory may be closed to the user that runs the page.
        let name = Path::new(built).file_name().unwrap();
        std::fs::copy(built, programs.join(name)).unwrap();
    }
    let file = home.path().join("page.sh");
    std::fs::write(&file, script(PAGE)).unwrap();
    let path = format!(
        "{}:{}:{}",
        programs.display(),
        server_programs(),
        std::env::var("PATH").unwrap()
    );
    let output = run(&file, home.path(), &path);
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let logs = Command::new("bash")
        .args(["-c", "for i in 1 2 3; do kill $(cat synapse-try/n$i/pid) $(head -1 synapse-try/pg$i/postmaster.pid); tail -n 20 synapse-try/n$i/log; done 2>/dev/null"])
        .current_dir(home.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{said}\n{complained}\n{}",
        String::from_utf8_lossy(&logs.stdout)
    );
    for node in ["n1", "n2", "n3"] {
        assert!(said.contains(&format!("written on {node}")), "{said}");
    }
    assert!(said.contains("all requirements are met"), "{said}");
}
