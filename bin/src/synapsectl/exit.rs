//! What the exit codes mean.

use std::fmt;
use std::process::ExitCode;

/// Shown below `--help`.
pub(crate) const HELP: &str = "Exit codes: 0 done, 1 the answer is no, 2 usage or configuration, 3 cannot reach, \
4 timed out, 5 refused (needs --confirm, or not in this state)";

/// The exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    /// The answer is no: differs, unhealthy.
    No,
    /// Usage or configuration.
    Usage,
    /// Somebody does not answer.
    Unreachable,
    TimedOut,
    /// Needs `--confirm`, or not in this state.
    Refused,
}

impl Exit {
    /// By ^C, as shells count it.
    pub(crate) const INTERRUPTED: u8 = 130;

    const fn number(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::TimedOut => 4,
            Exit::Refused => 5,
        }
    }

    /// What a status of the daemon's API means for the command that asked.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Exit::Done,
            400..=404 | 405 | 413 | 415 | 422 => Exit::Usage,
            409 => Exit::Refused,
            504 => Exit::TimedOut,
            _ => Exit::Unreachable,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.number())
    }
}

/// Why a command failed, and with which code it ends.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<String>) -> Self {
        Failure {
            exit,
            error: error.into(),
            hint: None,
        }
    }

    /// As it stands in an answer that is followed.
    pub(crate) fn of_line(status: u16, error: impl Into<String>, hint: Option<String>) -> Self {
        Failure {
            exit: Exit::of_status(status),
            error: error.into(),
            hint,
        }
    }

    /// One more thing that helps.
    pub(crate) fn and_hint(mut self, more: &str) -> Self {
        self.hint = Some(match self.hint {
            Some(hint) => format!("{hint}; {more}"),
            None => more.to_owned(),
        });
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// The exit code that the error itself names; 2 for what names none.
pub(crate) fn of(error: &anyhow::Error) -> ExitCode {
    let named = error.chain().find_map(|cause| {
        let sandbox = cause
            .downcast_ref::<synapse_engine_sandbox::Error>()
            .map(|error| ExitCode::from(error.exit_code()));
        sandbox.or_else(|| cause.downcast_ref::<Failure>().map(|failure| failure.exit.into()))
    });
    named.unwrap_or_else(|| Exit::Usage.into())
}

#[cfg(test)]
mod tests;
