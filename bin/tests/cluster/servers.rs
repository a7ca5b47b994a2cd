use std::path::{Path, PathBuf};

/// Which PostgreSQL a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// The machine's own, PostgreSQL 15 on Debian 12.
    Own,
    /// PostgreSQL 18, which the tests' prerequisites install beside it.
    Eighteen,
    /// PostgreSQL 16 with pgvector, which they install as well.
    WithVector,
}

/// One node of each: what most tests run on.
pub(crate) const MIXED: [Server; 2] = [Server::Own, Server::Eighteen];

impl Server {
    /// The directory of its programs. That a server is missing is a failure of the test, not a reason to skip it.
    pub(crate) fn bin(self) -> PathBuf {
        match self {
            Server::Own => {
                synapse_engine_sandbox::Server::find()
                    .expect("this machine has a PostgreSQL server")
                    .bin
            }
            Server::Eighteen => beside("18"),
            Server::WithVector => beside("vector"),
        }
    }
}

fn beside(name: &str) -> PathBuf {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../.servers")
        .join(name)
        .join("bin");
    assert!(
        bin.join("postgres").is_file(),
        "no PostgreSQL in .servers/{name}; run .ci/prerequisites test"
    );
    bin
}
