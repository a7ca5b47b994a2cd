//! Sandboxes on real servers.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};

use super::*;
use crate::control::What;
use crate::process::working_in;
use crate::query::run_sql;

fn silent(_: &str) {}

/// A directory that every user can enter, whatever the umask.
pub(crate) fn open_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// A base port at which these nodes' ports are free now. Different from that of other tests that run at the time.
fn free_base(nodes: usize) -> u16 {
    let free = |base: u16| {
        let plan = PortPlan::new(base, nodes).ok()?;
        (0..nodes)
            .all(|index| plan.of(index).unwrap().check_free("n").is_ok())
            .then_some(base)
    };
    let listener = || {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    };
    std::iter::repeat_with(listener).take(1_000).find_map(free).unwrap()
}

pub(crate) fn options(dir: &tempfile::TempDir, nodes: usize, synapsed: &str) -> Options {
    Options {
        nodes,
        base_port: free_base(nodes),
        synapsed: Some(PathBuf::from(synapsed)),
        ..Options::new(dir.path().join("sandbox"))
    }
}

/// A sandbox of which PostgreSQL runs on every node.
pub(crate) async fn servers(options: &Options) -> Sandbox {
    let mut sandbox = Sandbox::plan(options).unwrap();
    sandbox.install().unwrap();
    for name in sandbox
        .record
        .nodes
        .iter()
        .map(|node| node.name.clone())
        .collect::<Vec<_>>()
    {
        sandbox
            .node(sandbox.record.node(&name).unwrap())
            .prepare()
            .await
            .unwrap();
        sandbox.start(&name, What::Postgres, &silent).await.unwrap();
    }
    sandbox
}

pub(crate) async fn value(node: &NodeRecord, sql: &str) -> String {
    let results = run_sql(node, "app", sql).await.unwrap();
    results.last().unwrap().rows[0][0].clone().unwrap()
}

#[tokio::test]
async fn a_server_has_the_documented_settings_and_owner() {
    let dir = open_dir();
    let sandbox = servers(&options(&dir, 1, "/bin/true")).await;
    let node = sandbox.record().node("n1").unwrap().clone();
    for (name, expected) in [
        ("wal_level", "logical"),
        ("track_commit_timestamp", "on"),
        ("fsync", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("max_prepared_transactions", "10"),
    ] {
        assert_eq!(value(&node, &format!("SHOW {name}")).await, expected, "{name}");
    }
    let collation = value(&node, "SELECT datcollate FROM pg_database WHERE datname = 'app'").await;
    assert!(["C.UTF-8", "C"].contains(&collation.as_str()), "{collation}");
    let expected = match &sandbox.owner {
        Owner::Caller => rustix::process::geteuid().as_raw(),
        Owner::Other { uid, .. } => *uid,
    };
    let process = format!("/proc/{}", node.postgres_pid.unwrap());
    for path in [
        Path::new(&process),
        &node.data_dir,
        &node.token_file,
        &node.config,
        &node.postgres_log,
        &sandbox.dir,
    ] {
        assert_eq!(fs::metadata(path).unwrap().uid(), expected, "{}", path.display());
    }
    for (path, mode) in [(&node.token_file, 0o600), (&node.config, 0o600)] {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, mode, "{}", path.display());
    }
    sandbox.down(false, &silent).await.unwrap();
}

#[tokio::test]
async fn a_killed_server_leaves_no_child_and_keeps_what_was_committed() {
    let dir = open_dir();
    let mut sandbox = servers(&options(&dir, 1, "/bin/true")).await;
    let data_dir = fs::canonicalize(&sandbox.record.nodes[0].data_dir).unwrap();
    let node = sandbox.record().nodes[0].clone();
    run_sql(
        &node,
        "app",
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)",
    )
    .await
    .unwrap();
    assert!(working_in(&data_dir).len() > 1);
    sandbox.kill("n1", What::Both, &silent).await.unwrap();
    assert_eq!(working_in(&data_dir), []);
    assert_eq!(Record::load(&sandbox.dir).unwrap().nodes[0].postgres_pid, None);
    assert_eq!(run_sql(&node, "app", "SELECT 1").await.unwrap_err().exit_code(), 3);
    sandbox.start("n1", What::Postgres, &silent).await.unwrap();
    assert_eq!(value(&node, "SELECT count(*) FROM t").await, "1");
    let missing = run_sql(&node, "app", "SELECT * FROM missing").await.unwrap_err();
    assert_eq!((missing.exit_code(), missing.to_string().contains("42P01")), (1, true));
    sandbox.stop("n1", What::Both, &silent).await.unwrap();
    assert_eq!(working_in(&data_dir), []);
    sandbox.down(false, &silent).await.unwrap();
}

#[tokio::test]
async fn kept_data_are_started_again_on_the_same_ports() {
    let dir = open_dir();
    let options = options(&dir, 2, "/bin/true");
    let sandbox = servers(&options).await;
    let record = sandbox.record().clone();
    for node in &record.nodes {
        run_sql(node, "app", "CREATE TABLE t (id int)").await.unwrap();
    }
    sandbox.down(true, &silent).await.unwrap();
    let again = servers(&Options {
        nodes: 1,
        base_port: 1,
        ..options
    })
    .await;
    for node in &again.record().nodes {
        assert_eq!(value(node, "SELECT count(*) FROM t").await, "0");
    }
    let ports = |record: &Record| record.nodes.iter().map(|node| node.postgres_port).collect::<Vec<_>>();
    assert_eq!(ports(again.record()), ports(&record));
    let path = again.dir.clone();
    again.down(false, &silent).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_running_sandbox_is_not_brought_up_again() {
    let dir = open_dir();
    let options = options(&dir, 1, "/bin/true");
    let sandbox = servers(&options).await;
    assert_eq!(Sandbox::up(&options, &silent).await.unwrap_err().exit_code(), 5);
    assert_eq!(
        Sandbox::open(&options.dir).unwrap_err().exit_code(),
        5,
        "it is locked by the command above"
    );
    sandbox.down(false, &silent).await.unwrap();
}

#[tokio::test]
async fn a_busy_port_is_named_and_nothing_is_made() {
    let dir = open_dir();
    let options = options(&dir, 2, "/bin/true");
    let busy = options.base_port + 12;
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, busy)).unwrap();
    let error = Sandbox::up(&options, &silent).await.unwrap_err();
    assert!(
        matches!(&error, Error::PortBusy { port, node, .. } if *port == busy && node == "n2"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 2);
    assert!(!options.dir.exists());
}

#[tokio::test]
async fn a_node_that_does_not_become_ready_leaves_nothing_running() {
    let dir = open_dir();
    let closed = dir.path().join("closed");
    fs::DirBuilder::new().mode(0o700).create(&closed).unwrap();
    fs::copy("/bin/false", closed.join("synapsed")).unwrap();
    let options = options(&dir, 2, closed.join("synapsed").to_str().unwrap());
    let error = Sandbox::up(&options, &silent).await.unwrap_err();
    assert!(matches!(&error, Error::NotReady { what: "synapsed", .. }), "{error}");
    assert_eq!(error.exit_code(), 4);
    let record = Record::load(&options.dir).unwrap();
    let runs_a_copy = record.synapsed == options.dir.join("bin/synapsed");
    assert_eq!(
        runs_a_copy,
        Owner::detect().unwrap() != Owner::Caller,
        "root's servers cannot enter the other place"
    );
    for node in &record.nodes {
        assert_eq!((node.engine_pid, node.postgres_pid), (None, None));
        assert_eq!(working_in(&fs::canonicalize(&node.data_dir).unwrap()), []);
    }
    Sandbox::open(&options.dir).unwrap().down(false, &silent).await.unwrap();
}

#[tokio::test]
async fn a_closed_directory_on_the_way_is_named_when_root_calls() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let error = Sandbox::up(&options(&dir, 1, "/bin/false"), &silent).await.unwrap_err();
    match Owner::detect().unwrap() {
        Owner::Other { .. } => {
            assert!(
                matches!(&error, Error::NotEnterable { ancestor, .. } if ancestor == dir.path()),
                "{error}"
            );
            assert_eq!(error.exit_code(), 2);
        }
        Owner::Caller => {
            assert_eq!(error.exit_code(), 4);
            Sandbox::open(&dir.path().join("sandbox"))
                .unwrap()
                .down(false, &silent)
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn nodes_may_run_different_majors() {
    let dir = open_dir();
    let newer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.servers/18/bin");
    let pg_bin = PgBin::PerNode([("n2".to_owned(), newer)].into());
    let sandbox = servers(&Options {
        pg_bin,
        ..options(&dir, 2, "/bin/true")
    })
    .await;
    for (node, prefix) in sandbox.record().nodes.iter().zip(["", "18"]) {
        assert_eq!(
            value(node, "SHOW server_version").await.split(' ').next().unwrap(),
            node.pg_version
        );
        assert!(node.pg_version.starts_with(prefix), "{}", node.pg_version);
    }
    sandbox.down(false, &silent).await.unwrap();
}
