//! Programs that are run and measured; all they write is kept beside the report.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::process::Command;

use crate::cpu;

/// The directory of raw outputs.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    dir: PathBuf,
}

/// How a program ran.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) wall: Duration,
    /// Of the program and its children. Another program that ends meanwhile counts too.
    pub(crate) cpu: Duration,
}

impl Raw {
    /// An empty directory `raw` in the report's.
    pub(crate) fn in_report(report: &Path) -> anyhow::Result<Raw> {
        let dir = report.join("raw");
        if dir.is_dir() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Raw { dir })
    }

    /// Keeps a text under a name.
    pub(crate) fn keep(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.dir.join(format!("{name}.txt"));
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// As [`Raw::run`], with what `from` writes as the input of `into`; both must exit with 0.
    pub(crate) async fn pipe(&self, name: &str, from: &mut Command, into: &mut Command) -> anyhow::Result<Ran> {
        let cpu_before = cpu::of_ended_children()?;
        let started = Instant::now();
        let line = format!("{:?} | {:?}", from.as_std(), into.as_std());
        from.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut from = from
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {line}"))?;
        let between: Stdio = from.stdout.take().context("its output is piped")?.try_into()?;
        into.stdin(between).stdout(Stdio::piped()).stderr(Stdio::piped());
        let reads = into.kill_on_drop(true).spawn();
        // Our own end of the pipe goes: `from` must notice when `into` has ended and reads no more.
        into.stdin(Stdio::null());
        let outputs = async { tokio::try_join!(from.wait_with_output(), reads?.wait_with_output()) };
        let (from, into) = outputs.await.with_context(|| format!("cannot run {line}"))?;
        let wall = started.elapsed();
        let cpu = cpu::of_ended_children()?.saturating_sub(cpu_before);
        let stdout = String::from_utf8_lossy(&into.stdout).into_owned();
        let (first, second) = (
            String::from_utf8_lossy(&from.stderr),
            String::from_utf8_lossy(&into.stderr),
        );
        let text = format!(
            "$ {line}\n{first}{stdout}{second}\n{}, {}, {wall:?}, processor time {cpu:?}\n",
            from.status, into.status
        );
        self.keep(name, &text)?;
        anyhow::ensure!(from.status.success() && into.status.success(), "{text}");
        Ok(Ran { stdout, wall, cpu })
    }

    /// Runs a program to its end, keeps what it wrote under `name`, and fails unless it exits with 0.
    pub(crate) async fn run(&self, name: &str, command: &mut Command) -> anyhow::Result<Ran> {
        let cpu_before = cpu::of_ended_children()?;
        let started = Instant::now();
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let line = format!("{:?}", command.as_std());
        let output = output.await.with_context(|| format!("cannot run {line}"))?;
        let wall = started.elapsed();
        let cpu = cpu::of_ended_children()?.saturating_sub(cpu_before);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let text = format!(
            "$ {line}\n{stdout}{stderr}\n{}, {wall:?}, processor time {cpu:?}\n",
            output.status
        );
        self.keep(name, &text)?;
        anyhow::ensure!(output.status.success(), "{text}");
        Ok(Ran { stdout, wall, cpu })
    }
}

#[cfg(test)]
mod tests;
