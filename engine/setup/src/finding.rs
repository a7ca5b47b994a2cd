use std::fmt;

use serde::{Deserialize, Serialize};

/// Something about a database that a person should know before it is replicated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether replication can run in spite of it.
    pub level: Level,
    /// What is wrong, as a sentence without a stop.
    pub what: String,
    /// The statements to run, when statements help.
    pub fix: Option<String>,
    /// What the server must do after that.
    pub restart: RestartNeeded,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Replication cannot run.
    Unmet,
    /// Replication runs, with a limit that is named.
    Warning,
}

/// What makes a fix take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartNeeded {
    /// It works at once.
    No,
    /// `SELECT pg_reload_conf()`.
    Reload,
    /// The server has to be restarted.
    Restart,
}

impl Finding {
    pub(crate) fn unmet(what: impl Into<String>) -> Self {
        Finding {
            level: Level::Unmet,
            what: what.into(),
            fix: None,
            restart: RestartNeeded::No,
        }
    }

    pub(crate) fn warning(what: impl Into<String>) -> Self {
        Finding {
            level: Level::Warning,
            ..Finding::unmet(what)
        }
    }

    pub(crate) fn fix(self, statement: impl Into<String>) -> Self {
        Finding {
            fix: Some(statement.into()),
            ..self
        }
    }

    pub(crate) fn after(self, restart: RestartNeeded) -> Self {
        Finding { restart, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Unmet => "unmet",
            Level::Warning => "warning",
        };
        write!(f, "{level}: {}", self.what)?;
        if let Some(fix) = &self.fix {
            write!(f, "\n  run: {fix}")?;
        }
        match self.restart {
            RestartNeeded::No => Ok(()),
            RestartNeeded::Reload => write!(f, "\n  then reload the configuration"),
            RestartNeeded::Restart => write!(f, "\n  then restart PostgreSQL"),
        }
    }
}
