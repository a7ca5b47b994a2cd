//! On what and of what the numbers are.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde::Serialize;

/// The machine, the versions, the moment.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) started: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// The load average of the last minute before the start: anything above 0 disturbs.
    pub(crate) load_before: String,
    pub(crate) postgres: String,
    pub(crate) synapse: &'static str,
    /// Of the sources when the run started, with `+changes` when files differ from it. Programs may be older: see `daemon`.
    pub(crate) commit: String,
    /// The daemon's program and when its file was written: a copy is younger than its build.
    pub(crate) daemon: String,
}

impl Machine {
    /// What can be found out; `unknown` where it cannot.
    pub(crate) fn look(postgres: &str, daemon: &Path) -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let first_word = |text: String| text.split_whitespace().next().unwrap_or(UNKNOWN).to_owned();
        Machine {
            started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            cpu: cpu_model(&read("/proc/cpuinfo")).unwrap_or(UNKNOWN).to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory_mib(&read("/proc/meminfo")).unwrap_or(0),
            kernel: first_word(read("/proc/sys/kernel/osrelease")),
            load_before: first_word(read("/proc/loadavg")),
            postgres: postgres.to_owned(),
            synapse: env!("CARGO_PKG_VERSION"),
            commit: commit(),
            daemon: built(daemon),
        }
    }
}

const UNKNOWN: &str = "unknown";

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn memory_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024)
}

/// The path, and when the file was written.
fn built(program: &Path) -> String {
    let written = fs::metadata(program).and_then(|file| file.modified());
    match written {
        Ok(at) => format!("{} of {}", program.display(), humantime::format_rfc3339_seconds(at)),
        Err(_) => format!("{}: not there", program.display()),
    }
}

fn commit() -> String {
    match (
        git(&["rev-parse", "--short=12", "HEAD"]),
        git(&["status", "--porcelain"]),
    ) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), _) => format!("{commit}+changes"),
        (None, _) => UNKNOWN.to_owned(),
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(arguments);
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests;
