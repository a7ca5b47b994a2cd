//! `node`: this node as a member.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;
use synapse_engine_node::{Config, Detached, Discard, detach};

use crate::api::Reach;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// A daemon that runs answers within that.
const ALIVE: Duration = Duration::from_secs(2);

/// Fill a node from another, or take it out
#[derive(Subcommand)]
pub(crate) enum Node {
    Join(JoinOptions),
    Detach(DetachOptions),
}

/// Have this node copied from another one: when it begins, or in place of everything that it holds
#[derive(Args)]
pub(crate) struct JoinOptions {
    /// The node to copy
    #[arg(long)]
    from: String,
    /// What stands in this node's replicated tables goes
    #[arg(long)]
    replace_local: bool,
    /// Yes, it goes
    #[arg(long, requires = "replace_local")]
    confirm: bool,
}

#[derive(Deserialize)]
struct Joining {
    from: String,
    replaced: bool,
}

/// Remove slot, publication, origins, triggers and schema from the database of --config, and restore its sequences
#[derive(Args)]
pub(crate) struct DetachOptions {
    /// Yes, take it all away
    #[arg(long)]
    confirm: bool,
    /// Also when synapse.skipped holds transactions, which are lost then
    #[arg(long)]
    discard_skipped: bool,
    /// Also when synapse.displaced holds rows, which are lost then
    #[arg(long)]
    discard_displaced: bool,
}

#[derive(Serialize)]
struct Report {
    node: String,
    slot_dropped: bool,
    origins: Vec<String>,
    released: Vec<String>,
}

impl Node {
    pub(crate) async fn run(self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        let options = match self {
            Node::Join(options) => return options.run(reach, output),
            Node::Detach(options) => options,
        };
        let config = reach.config()?.ok_or_else(|| {
            Failure::new(Exit::Usage, "detaching needs the node's configuration").hint("give --config FILE")
        })?;
        let node = config.node.name.to_string();
        if reach.get("/healthz", ALIVE).is_ok() {
            return Err(Failure::new(Exit::Refused, format!("synapsed of {node} is running"))
                .hint("stop it first")
                .into());
        }
        if !options.confirm {
            let what = format!(
                "detaching {node} removes slot, publication, origins, triggers and schema synapse, and restores sequences"
            );
            return Err(Failure::new(Exit::Refused, what).hint("say --confirm").into());
        }
        let discard = Discard {
            skipped: options.discard_skipped,
            displaced: options.discard_displaced,
        };
        let detached = detached(&config, discard).await?;
        let report = Report {
            node,
            slot_dropped: detached.slot_dropped,
            origins: detached.origins,
            released: detached.released.into_iter().map(|change| change.object).collect(),
        };
        output.print(&report, || report.text(&config))?;
        Ok(Exit::Done.into())
    }
}

impl JoinOptions {
    fn run(&self, reach: &Reach, output: Output) -> anyhow::Result<ExitCode> {
        let JoinOptions {
            from,
            replace_local,
            confirm,
        } = self;
        let wanted = json!({ "from": from, "replace_local": replace_local, "confirm": confirm });
        let (joining, body) = reach.change::<Joining>("/v1/node/join", &wanted)?;
        output.pass(&body, || {
            let how = if joining.replaced { "begins anew, and is" } else { "is" };
            format!(
                "this node {how} copied from {}; `synapsectl status` shows how far it is\n",
                joining.from
            )
        })?;
        Ok(Exit::Done.into())
    }
}

async fn detached(config: &Config, discard: Discard) -> Result<Detached, Failure> {
    use synapse_engine_setup::Error as Setup;
    detach(config, discard).await.map_err(|error| {
        let refused = matches!(
            &error,
            synapse_engine_node::Error::Setup(
                Setup::SlotActive { .. }
                    | Setup::OriginActive { .. }
                    | Setup::SkippedRows { .. }
                    | Setup::DisplacedRows { .. }
                    | Setup::Busy { .. }
            )
        );
        Failure::new(
            if refused { Exit::Refused } else { Exit::Unreachable },
            error.to_string(),
        )
    })
}

impl Report {
    fn text(&self, config: &Config) -> String {
        let slot = if self.slot_dropped {
            "slot dropped"
        } else {
            "there was no slot"
        };
        format!(
            "{} is detached: {slot}, {} origins dropped, {} tables and sequences as they were\n\
             its data directory {} is of no further use\n",
            self.node,
            self.origins.len(),
            self.released.len(),
            config.node.data_dir.display(),
        )
    }
}
