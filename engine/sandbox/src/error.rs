use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Trying again may help.
    Transient,
    /// Trying the same again will not help: something outside must change.
    Definite,
    /// A law of this program, or of the daemon, was broken.
    Bug,
}

/// Why a sandbox could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option or a file that the user wrote is wrong.
    #[error("{what}")]
    Usage {
        /// What is wrong, and what was expected.
        what: String,
    },
    /// A port of the plan is in use; nothing was started.
    #[error(
        "port {port} on 127.0.0.1 is busy (wanted for the {role} of {node}); nothing was started\nhint: choose another --base-port"
    )]
    PortBusy {
        /// The busy port.
        port: u16,
        /// The node that was to have it.
        node: String,
        /// `PostgreSQL`, `link` or `API`.
        role: &'static str,
    },
    /// The user that runs the servers cannot enter a directory on the way.
    #[error("user {user} cannot enter {}, which lies on the way to {}\nhint: choose a directory below one that every user can enter, such as /tmp or /var/tmp", ancestor.display(), path.display())]
    NotEnterable {
        /// The operating-system user that the servers run as.
        user: String,
        /// The first directory from the root that it cannot enter.
        ancestor: PathBuf,
        /// Where it has to get to.
        path: PathBuf,
    },
    /// No PostgreSQL server binaries were found, or they do not run.
    #[error(
        "no usable PostgreSQL: {what}\nhint: install postgresql, or name its bin directory with --pg-bin or $PG_BIN"
    )]
    NoServer {
        /// Where was looked, and what was found there.
        what: String,
    },
    /// The directory holds no sandbox.
    #[error("no sandbox in {}: it has no sandbox.json", dir.display())]
    NoSandbox {
        /// The directory that was named.
        dir: PathBuf,
    },
    /// The sandbox has no node of that name.
    #[error("no node {name} in this sandbox; it has {known}")]
    NoNode {
        /// The name that was asked for.
        name: String,
        /// The names that exist, for the reader.
        known: String,
    },
    /// Not possible in the present state.
    #[error("refused: {what}")]
    Refused {
        /// Which state forbids it.
        what: String,
    },
    /// A server did not become ready, or did not stop, in time.
    #[error("{what} of {node} {problem}\n{log_tail}")]
    NotReady {
        /// The node.
        node: String,
        /// `PostgreSQL` or `synapsed`.
        what: &'static str,
        /// What was waited for, and how it ended.
        problem: String,
        /// The last lines of its logs.
        log_tail: String,
    },
    /// A state did not come within its time.
    #[error("{what} did not happen within {} s", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// A server could not be reached.
    #[error("cannot reach {what}")]
    Unreachable {
        /// Which server, and where.
        what: String,
        /// What the driver said.
        #[source]
        source: Option<tokio_postgres::Error>,
    },
    /// A server refused a statement.
    #[error("{node}: {message} (SQLSTATE {sqlstate})")]
    Statement {
        /// The node.
        node: String,
        /// PostgreSQL's message.
        message: String,
        /// PostgreSQL's five-character code.
        sqlstate: String,
    },
    /// A program that was run to the end failed.
    #[error("{program} failed ({status})\n{output}")]
    Program {
        /// Its path.
        program: String,
        /// Exit code or signal.
        status: String,
        /// The end of what it wrote.
        output: String,
    },
    /// A certificate or its key could not be made.
    #[error("cannot make certificates")]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// `sandbox.json` is not what this version writes.
    #[error("cannot read {}: {problem}", path.display())]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        problem: String,
    },
    /// A daemon or `synapsectl` answered in another form than the documented one.
    #[error("cannot understand the answer of {who}: {problem}")]
    BadAnswer {
        /// Who answered.
        who: String,
        /// What the parser said.
        problem: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The verb, as in "cannot *write* FILE".
        action: &'static str,
        /// The file, directory or program.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Makes the closure that wraps an [`io::Error`] of `action` on `path`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    /// What a caller may do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::PortBusy { .. } | Error::NotReady { .. } | Error::TimedOut { .. } | Error::Unreachable { .. } => {
                Class::Transient
            }
            Error::Usage { .. }
            | Error::NotEnterable { .. }
            | Error::NoServer { .. }
            | Error::NoSandbox { .. }
            | Error::NoNode { .. }
            | Error::Refused { .. }
            | Error::Statement { .. }
            | Error::Program { .. }
            | Error::Certificates(_)
            | Error::BadRecord { .. }
            | Error::Io { .. } => Class::Definite,
            Error::BadAnswer { .. } => Class::Bug,
        }
    }

    /// The exit code of a command that ends with this error: 1 the answer is no, 2 usage or configuration,
    /// 3 cannot reach, 4 timed out, 5 refused.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Statement { .. } => 1,
            Error::Usage { .. }
            | Error::PortBusy { .. }
            | Error::NotEnterable { .. }
            | Error::NoServer { .. }
            | Error::NoSandbox { .. }
            | Error::NoNode { .. }
            | Error::Program { .. }
            | Error::Certificates(_)
            | Error::BadRecord { .. }
            | Error::Io { .. } => 2,
            Error::Unreachable { .. } | Error::BadAnswer { .. } => 3,
            Error::NotReady { .. } | Error::TimedOut { .. } => 4,
            Error::Refused { .. } => 5,
        }
    }
}
