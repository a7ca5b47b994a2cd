//! Setting a policy: the node whose name is first gives it an epoch, once every node has said that it can be in force.

use std::sync::Arc;
use std::time::Duration;

use synapse_engine_identity::{Epoch, NodeId};
use synapse_engine_replication::{InvalidPolicy, Policy};
use tokio_postgres::Client;

use super::agree::{Setting, by_the_first, nothing_in_the_way};
use super::{PolicyChange, foreign_keys};
use crate::answer::AskError;
use crate::error::Error;
use crate::frames::Request;
use crate::orphans::InvalidRule;
use crate::shared::Shared;
use crate::sql;
use crate::wait;

/// How long a table is waited for that somebody else writes: who waits behind us waits as long.
pub(super) const LOCK_TIMEOUT_MS: u32 = 3_000;
/// How long it is waited for that the policy is in force on every node; it comes there anyway.
const EVERYWHERE_PATIENCE: Duration = Duration::from_secs(10);

/// Why a policy was not set. Nothing has changed then, anywhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetError {
    /// It is none.
    #[error(transparent)]
    Invalid(#[from] InvalidPolicy),
    /// It is no rule for foreign keys.
    #[error(transparent)]
    Rule(#[from] InvalidRule),
    /// A node is down.
    #[error(
        "{linked} of {configured} configured peers are linked; a {setting} is set while all nodes are up, so that it means the same everywhere"
    )]
    Missing {
        /// What was to be set.
        setting: Setting,
        /// Peers with a link.
        linked: usize,
        /// Peers in the configuration.
        configured: usize,
    },
    /// A node did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// It cannot be in force on some node.
    #[error("the {setting} cannot be in force: {}", .problems.join("; "))]
    Problems {
        /// What was to be set.
        setting: Setting,
        /// In words, after the names of the nodes.
        problems: Vec<String>,
    },
    /// The node that gives policies their epochs says why not.
    #[error("{node}: {why}")]
    Refused {
        /// The node.
        node: NodeId,
        /// In its words.
        why: String,
        /// What would help, in its words.
        hint: Option<String>,
    },
    /// The server of the node that sets it refused.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl SetError {
    /// What would help.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            SetError::Missing { .. } => Some("`synapsectl status` shows who is missing"),
            SetError::Problems { setting, .. } => Some(match setting {
                Setting::Policy => "nothing has changed, on no node",
                Setting::ForeignKeys => {
                    "nothing has changed, on no node; the rule belongs to the table that refers, of a partitioned table to the whole of it"
                }
            }),
            SetError::Refused { hint, .. } => hint.as_deref(),
            SetError::Ask(_) => Some(AskError::HINT),
            SetError::Invalid(_) | SetError::Rule(_) | SetError::Failed(_) => None,
        }
    }
}

/// What is to be set of a table.
pub(crate) enum Wanted {
    /// Its conflict policy.
    Policy(String),
    /// The rule for its foreign keys.
    ForeignKeys(String),
}

/// Sets something of a table, from whichever node, and waits for a while until it is in force on every node.
pub(crate) async fn set_and_wait(
    shared: &Arc<Shared>,
    schema: &str,
    table: &str,
    wanted: Wanted,
) -> Result<PolicyChange, SetError> {
    let (epoch, policy, foreign_keys) = match wanted {
        Wanted::Policy(policy) => (set(shared, schema, table, &policy).await?, Some(policy), None),
        Wanted::ForeignKeys(rule) => {
            let epoch = foreign_keys::set(shared, schema, table, &rule).await?;
            (epoch, None, Some(rule))
        }
    };
    let waited = wait::wait(shared, EVERYWHERE_PATIENCE).await;
    Ok(PolicyChange {
        table: format!("{schema}.{table}"),
        policy,
        foreign_keys,
        epoch: epoch.0,
        everywhere: waited.done,
    })
}

/// Sets the policy of a table, from whichever node.
async fn set(shared: &Arc<Shared>, schema: &str, table: &str, policy: &str) -> Result<Epoch, SetError> {
    let policy: Policy = policy.parse()?;
    let request = Request::SetPolicy {
        schema: schema.to_owned(),
        table: table.to_owned(),
        policy: policy.to_string(),
    };
    by_the_first(shared, Setting::Policy, request, give(shared, schema, table, &policy)).await
}

/// Sets the policy of a table: asked of the node whose name is first.
pub(crate) async fn give(shared: &Arc<Shared>, schema: &str, table: &str, policy: &Policy) -> Result<Epoch, SetError> {
    // One after the other: an epoch follows the one before.
    let _turn = shared.setting_policy.lock().await;
    let check = Request::CheckPolicy {
        schema: schema.to_owned(),
        table: table.to_owned(),
        policy: policy.to_string(),
    };
    nothing_in_the_way(shared, Setting::Policy, &check).await?;
    let mut client = sql::connect(shared, "policy").await?;
    let epoch = write(&mut client, schema, table, policy).await?;
    tracing::info!(schema, table, %policy, epoch = epoch.0, "a conflict policy is set");
    Ok(epoch)
}

/// In one ordinary transaction of this node, which replicates as all do.
async fn write(client: &mut Client, schema: &str, table: &str, policy: &Policy) -> Result<Epoch, Error> {
    let transaction = client.transaction().await?;
    let settings = format!("SET LOCAL synchronous_commit = local; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}");
    transaction.batch_execute(&settings).await?;
    transaction
        .batch_execute("LOCK TABLE synapse.policies IN SHARE ROW EXCLUSIVE MODE")
        .await?;
    if policy.needs_old_rows() {
        let sql = "SELECT format('ALTER TABLE %I.%I REPLICA IDENTITY FULL', n.nspname, c.relname) FROM pg_class c \
                   JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = $2 AND c.relreplident <> 'f'";
        if let Some(row) = transaction.query_opt(sql, &[&schema, &table]).await? {
            transaction.batch_execute(row.try_get(0)?).await?;
        }
    }
    let sql = "INSERT INTO synapse.policies (epoch, schema_name, table_name, policy) \
               SELECT coalesce(max(epoch), 0) + 1, $1, $2, $3 FROM synapse.policies RETURNING epoch";
    let row = transaction
        .query_one(sql, &[&schema, &table, &policy.to_string()])
        .await?;
    let epoch: i32 = row.try_get(0)?;
    transaction.commit().await?;
    Ok(Epoch(u32::try_from(epoch).unwrap_or(u32::MAX)))
}
