//! A PostgreSQL server that nothing of ours has touched, made as a sandbox makes its servers.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::owner::Owner;
use crate::settings::{SANDBOX, TUNED};
use crate::sql;

/// From the start to the first connection.
const READY_MAX: Duration = Duration::from_secs(60);
/// How often a server that is starting is tried.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// A running server; it ends, and loses its data, with this value.
#[derive(Debug)]
pub(crate) struct PlainServer {
    pub(crate) port: u16,
    pub(crate) data_dir: PathBuf,
    /// Where its Unix socket is.
    pub(crate) socket_dir: PathBuf,
    postmaster: Child,
}

impl PlainServer {
    /// Makes and starts a server in `dir`, which must not exist, with an empty database.
    pub(crate) async fn start(dir: &Path, bin: &Path) -> anyhow::Result<PlainServer> {
        let owner = Owner::detect()?;
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        owner.give(dir)?;
        let data_dir = dir.join("pgdata");
        initdb(bin, &data_dir, owner)?;
        let port = free_port()?;
        let path = data_dir.join("postgresql.auto.conf");
        fs::write(&path, configuration(port, dir)).with_context(|| format!("cannot write {}", path.display()))?;
        let log = File::create(dir.join("postgres.log")).context("cannot create the server's log")?;
        let mut command = Command::new(bin.join("postgres"));
        command.arg("-D").arg(&data_dir).current_dir("/").stdin(Stdio::null());
        // Its own process group: an interrupt from the terminal is for us alone.
        command.stdout(log.try_clone()?).stderr(log).process_group(0);
        owner.apply(&mut command);
        let postmaster = command.spawn().context("cannot start postgres")?;
        let server = PlainServer {
            port,
            data_dir,
            socket_dir: dir.to_owned(),
            postmaster,
        };
        server.wait_ready().await?;
        Ok(server)
    }

    async fn wait_ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_MAX;
        let client = loop {
            match sql::connect(self.port, "postgres").await {
                Ok(client) => break client,
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(TRY_EVERY).await,
            }
        };
        sql::run(&client, &[format!("CREATE DATABASE {}", sql::DATABASE)]).await
    }
}

impl Drop for PlainServer {
    fn drop(&mut self) {
        // Immediate shutdown: the data are thrown away.
        let pid = i32::try_from(self.postmaster.id()).ok().and_then(Pid::from_raw);
        let signalled = pid.is_some_and(|pid| kill_process(pid, Signal::QUIT).is_ok());
        if signalled && let Err(error) = self.postmaster.wait() {
            eprintln!("cannot wait for PostgreSQL on port {}: {error}", self.port);
        }
    }
}

fn initdb(bin: &Path, data_dir: &Path, owner: Owner) -> anyhow::Result<()> {
    let mut command = Command::new(bin.join("initdb"));
    command.arg("--pgdata").arg(data_dir).args([
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--data-checksums",
        "--auth=trust",
        "--no-sync",
        "--no-instructions",
    ]);
    command.current_dir("/").stdin(Stdio::null());
    owner.apply(&mut command);
    let output = command.output().context("cannot run initdb")?;
    anyhow::ensure!(
        output.status.success(),
        "initdb failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn configuration(port: u16, socket_dir: &Path) -> String {
    let mut text = format!("port = {port}\nunix_socket_directories = '{}'\n", socket_dir.display());
    for (name, value) in SANDBOX.iter().chain(TUNED) {
        writeln!(text, "{name} = '{value}'").expect("writing to a string cannot fail");
    }
    text
}

/// A port that nothing listens on now.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
