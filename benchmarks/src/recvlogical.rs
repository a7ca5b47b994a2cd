//! `pg_recvlogical`, PostgreSQL's own reader of logical slots.

use std::path::Path;

use synapse_wal_types::Lsn;
use tokio::process::Command;

use crate::plain::PlainServer;
use crate::sql::DATABASE;

/// The publication of every publisher.
pub(crate) const PUBLICATION: &str = "benchmark";

/// A command that streams `slot` to nowhere, up to `until` or for ever. It asks for what our own client asks for.
pub(crate) fn command(bin: &Path, server: &PlainServer, major: u32, slot: &str, until: Option<Lsn>) -> Command {
    let mut command = Command::new(bin.join("pg_recvlogical"));
    command
        .arg("-h")
        .arg(&server.socket_dir)
        .args(["-p", &server.port.to_string(), "-U", "postgres", "-d", DATABASE]);
    command.args(["--start", "--slot", slot, "--file", "/dev/null", "--no-loop"]);
    let options = [
        format!("proto_version={}", protocol(major)),
        format!("publication_names={PUBLICATION}"),
        "messages=true".to_owned(),
    ];
    for option in &options {
        command.args(["--option", option]);
    }
    if let Some(until) = until {
        command.args(["--endpos", &until.to_string()]);
    }
    command.stdin(std::process::Stdio::null()).kill_on_drop(true);
    command
}

/// The newest protocol of a server, which our client asks for: 2 streams (14), 3 knows two-phase commit (15), 4 parallel
/// apply (16).
fn protocol(major: u32) -> u8 {
    match major {
        ..=14 => 2,
        15 => 3,
        16.. => 4,
    }
}
