//! The sandbox in the hands of a user that is not root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use synapse_engine_sandbox::first_free_base;

/// The longest from a commit until the other node has it.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_ordinary_user_runs_a_sandbox() {
    let dir = tempfile::Builder::new().prefix("syn").tempdir_in("/tmp").unwrap();
    let user = User::ordinary(dir.path());
    let sandbox = dir.path().join("sandbox");
    let run = |arguments: &[&str]| user.synapsectl(dir.path(), &sandbox, arguments);
    let base = first_free_base(2).unwrap().to_string();
    run(&["up", "--nodes", "2", "--base-port", &base]);
    assert_eq!(fs::metadata(sandbox.join("n1/pgdata")).unwrap().uid(), user.uid);
    let record: serde_json::Value = serde_json::from_slice(&fs::read(sandbox.join("sandbox.json")).unwrap()).unwrap();
    let pids: Vec<String> = ["engine_pid", "postgres_pid"]
        .map(|pid| record["nodes"][1][pid].to_string())
        .into();
    for pid in &pids {
        assert_eq!(
            fs::metadata(format!("/proc/{pid}")).unwrap().uid(),
            user.uid,
            "who runs process {pid}"
        );
    }
    run(&["sql", "--all", "CREATE TABLE t (id int PRIMARY KEY, a text)"]);
    run(&["sql", "--node", "n1", "INSERT INTO t VALUES (1, 'from n1')"]);
    let since = Instant::now();
    while !run(&["sql", "--node", "n2", "SELECT a FROM t"]).contains("from n1") {
        assert!(since.elapsed() < PATIENCE, "n2 has nothing after {PATIENCE:?}");
    }
    run(&["kill", "--node", "n2"]);
    run(&["start", "--node", "n2"]);
    run(&["down"]);
    assert!(!sandbox.exists());
    for pid in &pids {
        assert!(has_ended(pid), "process {pid} is left over");
    }
}

/// One that has ended stays in the list until init takes its status.
fn has_ended(pid: &str) -> bool {
    // The state follows the program's name, which is in parentheses.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_none_or(|rest| rest.is_empty() || rest.starts_with(['Z', 'X']))
}

/// Whoever runs this test, or for root somebody else.
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// Gives it the directory, with the programs in it: those that were built may stand where it cannot go.
    fn ordinary(dir: &Path) -> User {
        fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
        let own = fs::metadata(dir).unwrap();
        // As every Linux has it: nobody.
        let (uid, gid) = if own.uid() == 0 {
            (65_534, 65_534)
        } else {
            (own.uid(), own.gid())
        };
        chown(dir, Some(uid), Some(gid)).unwrap();
        for (name, program) in [
            ("synapsed", env!("CARGO_BIN_EXE_synapsed")),
            ("synapsectl", env!("CARGO_BIN_EXE_synapsectl")),
        ] {
            fs::copy(program, dir.join(name)).unwrap();
        }
        User { uid, gid }
    }

    /// Runs `synapsectl sandbox` as this user; answers with what it printed.
    fn synapsectl(&self, dir: &Path, sandbox: &Path, arguments: &[&str]) -> String {
        let (command, rest) = arguments.split_first().expect("a subcommand is given");
        let output = Command::new(dir.join("synapsectl"))
            .args(["sandbox", command, "--dir"])
            .arg(sandbox)
            .args(rest)
            .uid(self.uid)
            .gid(self.gid)
            .current_dir(dir)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}
