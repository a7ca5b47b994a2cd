//! Processes that outlive the command that started them, and are never confused with others.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::Command;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::owner::Owner;

/// How often a process that should end is looked at: the system tells only parents.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process, told from a later one with the same id by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessId {
    /// The system's id.
    pub(crate) pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks since boot.
    pub(crate) start: u64,
}

impl ProcessId {
    /// The identity of a process that is known to run now.
    pub(crate) fn of(pid: i32) -> Option<ProcessId> {
        Some(ProcessId {
            pid,
            start: stat(pid)?.start,
        })
    }

    /// Whether this very process lives. One that has ended and waits to be reaped does not.
    pub(crate) fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.start == self.start && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Signals the process; `false` when it no longer lives.
    pub(crate) fn signal(&self, signal: Signal) -> Result<bool> {
        let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) else {
            return Ok(false);
        };
        match rustix::process::kill_process(pid, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(errno) => Err(Error::io("signal", format!("process {}", self.pid))(errno.into())),
        }
    }

    /// Waits until the process has ended; fails after `limit`.
    pub(crate) async fn wait_ended(&self, what: &str, limit: Duration) -> Result<()> {
        until(limit, || !self.is_alive()).await.map_err(|()| Error::TimedOut {
            what: format!("end of {what}"),
            limit,
        })
    }
}

/// Looks again and again until `holds`; `Err` after `limit`.
pub(crate) async fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> std::result::Result<(), ()> {
    let deadline = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= deadline {
            return Err(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// The living processes whose working directory is `dir`: for a data directory, the postmaster and its children.
pub(crate) fn working_in(dir: &Path) -> Vec<ProcessId> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let inside = pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == dir));
    inside.filter_map(ProcessId::of).filter(ProcessId::is_alive).collect()
}

/// A program to start or to run.
pub(crate) struct Launch<'a> {
    /// Its path.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Where its shared libraries are, if the loader does not know.
    pub(crate) library_path: Option<PathBuf>,
    /// Who runs it.
    pub(crate) owner: &'a Owner,
}

impl Launch<'_> {
    /// Starts the program in its own process group, with its output at the end of `log`. It lives on when we end.
    pub(crate) fn start(&self, log: &Path) -> Result<ProcessId> {
        let open = OpenOptions::new().create(true).append(true).mode(0o644).open(log);
        let output = open.map_err(Error::io("open", log))?;
        self.owner.give(log)?;
        let errors = output.try_clone().map_err(Error::io("open", log))?;
        let mut command = self.command();
        command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        let child = command.spawn().map_err(Error::io("run", &self.program))?;
        // The handle is dropped: the runtime reaps the child if it ends while we live, init does so afterwards.
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        pid.and_then(ProcessId::of)
            .ok_or_else(|| Error::io("run", &self.program)(std::io::Error::other("it ended at once; its log says why")))
    }

    /// Runs the program to its end, or until the caller no longer waits. Fails, with what it wrote, unless it exits
    /// with 0.
    pub(crate) async fn run(&self) -> Result<()> {
        let mut command = self.command();
        let output = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(Error::io("run", &self.program))?;
        if output.status.success() {
            return Ok(());
        }
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        Err(Error::Program {
            program: self.program.display().to_string(),
            status: output.status.to_string(),
            output: text.trim_end().to_owned(),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir("/");
        if let Some(path) = &self.library_path {
            command.env("LD_LIBRARY_PATH", path);
        }
        if let Owner::Other { uid, gid, .. } = self.owner {
            // Dropping the user id from root drops the supplementary groups too (`Command::uid`).
            command.gid(*gid).uid(*uid).env("HOME", "/");
        }
        command
    }
}

/// Arguments of mixed kinds as what a command takes.
pub(crate) fn arguments<const N: usize>(list: [&dyn AsRef<OsStr>; N]) -> Vec<OsString> {
    list.iter().map(|argument| argument.as_ref().to_owned()).collect()
}

struct Stat {
    state: char,
    start: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads `PID (name) STATE …`. The name may hold spaces and parentheses, so fields count from its last `)`.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after_name) = text.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // State is field 3, the start time field 22 (proc(5)).
    let start = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, start })
}

#[cfg(test)]
mod tests;
