//! Whether a policy can be in force on this node.

use synapse_engine_identity::NodeId;
use synapse_engine_replication::{Order, Policy};
use synapse_engine_setup::{Catalog, ReplicaIdentity, Table};
use tokio_postgres::Client;

use crate::answer::catalog;
use crate::error::Error;
use crate::shared::Shared;
use crate::sql;
use crate::wait::nodes;

/// The types that are added up exactly: `smallint`, `integer`, `bigint` and `numeric`, by their fixed numbers.
const NUMBERS: [u32; 4] = [21, 23, 20, 1700];

/// What stands in the way of `policy` for a table here; nothing when it can be in force.
///
/// # Errors
/// When the server cannot be asked.
pub(crate) async fn problems(shared: &Shared, schema: &str, name: &str, policy: &Policy) -> Result<Vec<String>, Error> {
    let catalog = catalog(shared).await?;
    let Some(table) = catalog.find(schema, name) else {
        return Ok(vec![missing(&catalog, schema, name)]);
    };
    let mut problems = of_table(table, policy);
    problems.extend(of_nodes(policy, &nodes(shared).into_iter().collect::<Vec<_>>()));
    let client = sql::connect(shared, "policy").await?;
    if policy.needs_old_rows() && table.replica_identity != ReplicaIdentity::Full {
        problems.extend(not_ours(&client, schema, name).await?);
    }
    if let Policy::Custom { function, .. } = policy {
        problems.extend(of_function(&client, function).await?);
    }
    Ok(problems)
}

fn missing(catalog: &Catalog, schema: &str, name: &str) -> String {
    let left_out = catalog
        .why_not_replicated
        .iter()
        .find(|left| left.schema == schema && left.name == name);
    match left_out {
        Some(left) => format!("{schema}.{name} is not replicated: {}", left.reason),
        None => format!("there is no table {schema}.{name}"),
    }
}

/// What the table itself has against it.
pub(crate) fn of_table(table: &Table, policy: &Policy) -> Vec<String> {
    let Some(key) = table.key() else {
        return vec![format!(
            "{}.{} has no key, so that its rows have no conflicts; hint: give it a primary key",
            table.schema, table.name
        )];
    };
    let of_counter = |name: &String| match table.column(name) {
        None => Some(format!("there is no column {name}")),
        Some(_) if key.columns.contains(name) => {
            Some(format!("column {name} is part of the key, and cannot be a counter"))
        }
        Some(column) if !NUMBERS.contains(&column.base.oid.0) => Some(format!(
            "column {name} is of type {}: counters are smallint, integer, bigint or numeric",
            column.type_name
        )),
        Some(_) => None,
    };
    policy.counters().iter().filter_map(of_counter).collect()
}

fn of_nodes(policy: &Policy, nodes: &[NodeId]) -> Vec<String> {
    let Policy::Order {
        order: Order::Priority(named),
        ..
    } = policy
    else {
        return Vec::new();
    };
    let unknown = named.iter().filter(|node| !nodes.contains(node));
    let all: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
    unknown
        .map(|node| format!("there is no node {node}; the nodes are {}", all.join(", ")))
        .collect()
}

/// Old rows are sent whole once the table's owner has said so.
async fn not_ours(client: &Client, schema: &str, name: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT pg_has_role(c.relowner, 'USAGE'), current_user::text FROM pg_class c \
               JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";
    let Some(row) = client.query_opt(sql, &[&schema, &name]).await? else {
        return Ok(None);
    };
    let (may, role): (bool, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok((!may).then(|| {
        format!("the policy needs whole old rows, and role {role} does not own {schema}.{name}; hint: ALTER TABLE {schema}.{name} REPLICA IDENTITY FULL")
    }))
}

/// What stands in the way of calling it.
pub(crate) async fn of_function(client: &Client, function: &str) -> Result<Option<String>, Error> {
    let signature = format!("{function}(jsonb,jsonb,jsonb,jsonb)");
    let sql = "SELECT p.prorettype = 'jsonb'::regtype, has_function_privilege(p.oid, 'EXECUTE'), p.prokind = 'f' \
               FROM pg_proc p WHERE p.oid = to_regprocedure($1)";
    let Some(row) = client.query_opt(sql, &[&signature]).await? else {
        return Ok(Some(format!("there is no function {signature}")));
    };
    let (jsonb, may, plain): (bool, bool, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(match (jsonb && plain, may) {
        (false, _) => Some(format!("{signature} does not return jsonb")),
        (true, false) => Some(format!("this node's role may not execute {signature}")),
        (true, true) => None,
    })
}

#[cfg(test)]
mod tests;
