//! `link`: held for maintenance and tests.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use crate::api::Reach;
use crate::exit::Exit;
use crate::output::Output;

/// Hold and resume what one node sends to another
#[derive(Subcommand)]
pub(crate) enum Link {
    /// Hold what one node sends to another, until it is resumed
    Hold(Direction),
    /// Send again what was held
    Resume(Direction),
}

/// One direction between two nodes.
#[derive(Args)]
pub(crate) struct Direction {
    /// The node that sends
    #[arg(long)]
    from: String,
    /// The node that receives
    #[arg(long)]
    to: String,
}

#[derive(Deserialize)]
struct Done {
    from: String,
    to: String,
    held: bool,
}

impl Link {
    pub(crate) fn run(self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        let (path, Direction { from, to }) = match self {
            Link::Hold(direction) => ("/v1/link/hold", direction),
            Link::Resume(direction) => ("/v1/link/resume", direction),
        };
        let (done, body) = reach.change::<Done>(path, &json!({ "from": from, "to": to }))?;
        output.pass(&body, || {
            let how = if done.held { "is held" } else { "flows" };
            format!("what {} sends to {} {how}\n", done.from, done.to)
        })?;
        Ok(Exit::Done.into())
    }
}
