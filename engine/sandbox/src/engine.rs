//! One daemon: configured, started, asked, stopped.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::files;
use crate::http;
use crate::owner::Owner;
use crate::process::{Launch, ProcessId, arguments};

/// From the start to the wanted answer; a daemon behind by much becomes ready before it has caught up.
const READY_MAX: Duration = Duration::from_secs(60);
/// From SIGTERM to the end: the daemon drains what it has in hand.
const STOP_MAX: Duration = Duration::from_secs(60);
/// How often a daemon that is starting is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What a daemon is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// Whether its process lives: `/healthz`.
    Lives,
    /// Whether it streams with every peer: `/readyz`.
    Ready,
    /// As `Ready`, or whether it waits for tables that somebody has to create. As long as it copies, it is waited for.
    Joins,
}

/// The part of `GET /v1/status` that says how far a node has come in joining.
#[derive(Debug, Default, Deserialize)]
struct Standing {
    state: String,
    join: Option<Joining>,
}

#[derive(Debug, Default, Deserialize)]
struct Joining {
    #[serde(default)]
    missing_tables: Vec<String>,
}

/// A daemon of the sandbox.
pub(crate) struct Engine<'a> {
    /// The node that it belongs to.
    pub(crate) node: &'a str,
    /// The program.
    pub(crate) program: &'a Path,
    /// Its configuration file.
    pub(crate) config: &'a Path,
    /// Where it logs.
    pub(crate) log: &'a Path,
    /// Its API, for example `http://127.0.0.1:7402`.
    pub(crate) api: &'a str,
    /// Who runs it.
    pub(crate) owner: &'a Owner,
}

impl Engine<'_> {
    /// Starts the daemon.
    pub(crate) fn start(&self) -> Result<ProcessId> {
        let arguments = arguments([&"--config", &self.config]);
        let program = self.program.to_owned();
        Launch {
            program,
            arguments,
            library_path: None,
            owner: self.owner,
        }
        .start(self.log)
    }

    /// Waits until the daemon answers 200. Fails at once when its process ends.
    pub(crate) async fn wait(&self, process: ProcessId, health: Health) -> Result<()> {
        let path = match health {
            Health::Lives => "/healthz",
            Health::Ready | Health::Joins => "/readyz",
        };
        let mut deadline = Instant::now() + READY_MAX;
        loop {
            let answer = http::get(format!("{}{path}", self.api)).await;
            let said = match answer {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) if health == Health::Joins => {
                    let standing = self.standing().await;
                    if standing.join.is_some_and(|join| !join.missing_tables.is_empty()) {
                        return Ok(());
                    }
                    if standing.state == "copying" {
                        deadline = Instant::now() + READY_MAX;
                    }
                    answer.body.trim().to_owned()
                }
                Ok(answer) => format!("{path} says {} {}", answer.status, answer.body.trim()),
                Err(error) => error.to_string(),
            };
            let problem = if !process.is_alive() {
                "ended during its start".to_owned()
            } else if Instant::now() >= deadline {
                format!("is not ready after {} s: {said}", READY_MAX.as_secs())
            } else {
                tokio::time::sleep(ASK_EVERY).await;
                continue;
            };
            let log_tail = files::tail(self.log);
            return Err(Error::NotReady {
                node: self.node.to_owned(),
                what: "synapsed",
                problem,
                log_tail,
            });
        }
    }

    /// What the daemon says of its joining; nothing when it does not answer.
    async fn standing(&self) -> Standing {
        let answer = http::get(format!("{}/v1/status", self.api)).await;
        answer
            .ok()
            .and_then(|answer| serde_json::from_str(&answer.body).ok())
            .unwrap_or_default()
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn stop(&self, process: ProcessId) -> Result<()> {
        process.signal(Signal::TERM)?;
        process
            .wait_ended(&format!("synapsed of {}", self.node), STOP_MAX)
            .await
    }

    /// SIGKILL, and waits for the end.
    pub(crate) async fn kill(&self, process: ProcessId) -> Result<()> {
        process.signal(Signal::KILL)?;
        process
            .wait_ended(&format!("synapsed of {}", self.node), STOP_MAX)
            .await
    }
}

/// The text of a node's `synapse.toml`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Configuration<'a> {
    pub(crate) node: NodeSection<'a>,
    pub(crate) postgres: PostgresSection,
    pub(crate) cluster: ClusterSection<'a>,
    pub(crate) api: ApiSection<'a>,
    pub(crate) tls: TlsSection<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct NodeSection<'a> {
    pub(crate) name: &'a str,
    pub(crate) data_dir: &'a Path,
}

#[derive(Serialize)]
pub(crate) struct PostgresSection {
    pub(crate) dsn: String,
}

#[derive(Serialize)]
pub(crate) struct ClusterSection<'a> {
    pub(crate) name: &'a str,
    pub(crate) listen: &'a str,
    pub(crate) join: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ApiSection<'a> {
    pub(crate) listen: &'a str,
    pub(crate) token_file: &'a Path,
}

#[derive(Serialize)]
pub(crate) struct TlsSection<'a> {
    pub(crate) ca: &'a Path,
    pub(crate) certificate: &'a Path,
    pub(crate) key: &'a Path,
}

impl Configuration<'_> {
    /// Writes the file, readable by its owner alone.
    pub(crate) fn save(&self, path: &Path, owner: &Owner) -> Result<()> {
        let text = toml::to_string(self).map_err(|error| Error::Usage {
            what: format!("cannot write {}: a path in it is not text ({error})", path.display()),
        })?;
        files::replace(
            path,
            format!("# Written by synapsectl sandbox.\n{text}").as_bytes(),
            0o600,
        )?;
        owner.give(path)
    }
}

/// libpq keywords for the daemon's sessions, over the Unix socket.
pub(crate) fn socket_dsn(socket_dir: &Path, port: u16, database: &str) -> String {
    let host = socket_dir
        .display()
        .to_string()
        .replace('\\', r"\\")
        .replace('\'', r"\'");
    format!("host='{host}' port={port} user=postgres dbname={database}")
}

#[cfg(test)]
mod tests;
