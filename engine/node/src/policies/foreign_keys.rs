//! The rules for foreign keys: set as policies are, in the same rows, which the kernel reads nothing else of.

use std::collections::BTreeMap;
use std::sync::Arc;

use synapse_engine_identity::Epoch;
use synapse_engine_replication::Policy;
use tokio_postgres::Client;

use super::agree::{Setting, by_the_first, nothing_in_the_way};
use super::set::{LOCK_TIMEOUT_MS, SetError};
use crate::error::Error;
use crate::frames::Request;
use crate::orphans::{self, Rule};
use crate::shared::Shared;
use crate::sql;

/// Sets the rule of a table, from whichever node.
pub(crate) async fn set(shared: &Arc<Shared>, schema: &str, table: &str, rule: &str) -> Result<Epoch, SetError> {
    let rule: Rule = rule.parse()?;
    let request = Request::SetForeignKeys {
        schema: schema.to_owned(),
        table: table.to_owned(),
        rule: rule.to_string(),
    };
    by_the_first(shared, Setting::ForeignKeys, request, give(shared, schema, table, rule)).await
}

/// Sets the rule of a table: asked of the node whose name is first.
pub(crate) async fn give(shared: &Arc<Shared>, schema: &str, table: &str, rule: Rule) -> Result<Epoch, SetError> {
    // One after the other: an epoch follows the one before.
    let _turn = shared.setting_policy.lock().await;
    let check = Request::CheckForeignKeys {
        schema: schema.to_owned(),
        table: table.to_owned(),
    };
    nothing_in_the_way(shared, Setting::ForeignKeys, &check).await?;
    let mut client = sql::connect(shared, "policy").await?;
    let epoch = write(&mut client, schema, table, rule).await?;
    tracing::info!(schema, table, %rule, epoch = epoch.0, "a rule for foreign keys is set");
    Ok(epoch)
}

/// What stands in the way of a rule for a table here.
///
/// # Errors
/// When the server cannot be asked.
pub(crate) async fn problems(shared: &Shared, schema: &str, table: &str) -> Result<Vec<String>, Error> {
    let client = sql::connect(shared, "policy").await?;
    let keys = orphans::refresh(shared, &client).await?;
    let has_keys = |key: &synapse_engine_apply::ForeignKey| key.child.schema == schema && key.child.name == table;
    Ok(match keys.all().iter().any(has_keys) {
        true => Vec::new(),
        false => vec![format!("there is no table {schema}.{table} with a foreign key")],
    })
}

/// The rules of all tables that hold rows of tables with foreign keys.
///
/// # Errors
/// When the server cannot be asked.
pub(crate) async fn rules(shared: &Shared) -> Result<BTreeMap<(String, String), Rule>, Error> {
    let client = sql::connect(shared, "policy").await?;
    let keys = orphans::refresh(shared, &client).await?;
    let mut rules = BTreeMap::new();
    for key in keys.all() {
        let rule = orphans::in_force(&client, &key.child.schema, &key.child.name).await?;
        rules.extend(key.child.leaves.iter().map(|leaf| (leaf.clone(), rule)));
    }
    Ok(rules)
}

/// In one ordinary transaction of this node, which replicates as all do.
async fn write(client: &mut Client, schema: &str, table: &str, rule: Rule) -> Result<Epoch, Error> {
    let transaction = client.transaction().await?;
    let settings = format!(
        "SET LOCAL synchronous_commit = local; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; \
         LOCK TABLE synapse.policies IN SHARE ROW EXCLUSIVE MODE"
    );
    transaction.batch_execute(&settings).await?;
    let sql = "INSERT INTO synapse.policies (epoch, schema_name, table_name, policy, foreign_keys) \
               SELECT coalesce(max(epoch), 0) + 1, $1, $2, coalesce((SELECT policy FROM synapse.policies \
               WHERE schema_name = $1 AND table_name = $2 ORDER BY epoch DESC LIMIT 1), $3), $4 \
               FROM synapse.policies RETURNING epoch";
    let default = Policy::default().to_string();
    let row = transaction
        .query_one(sql, &[&schema, &table, &default, &rule.name()])
        .await?;
    let epoch: i32 = row.try_get(0)?;
    transaction.commit().await?;
    Ok(Epoch(u32::try_from(epoch).unwrap_or(u32::MAX)))
}
