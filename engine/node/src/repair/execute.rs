//! One repairing transaction on this node's server: lock, look again everywhere, write, note.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use synapse_engine_identity::NodeId;
use synapse_engine_setup::Catalog;
use tokio_postgres::{Client, Transaction};

use super::record::{Record, record};
use super::{statement, within};
use crate::answer::{AskError, catalog};
use crate::error::Error;
use crate::frames::{Act, Answer, RepairRows, RowKey, RowValues};
use crate::shared::Shared;
use crate::sql;
use crate::verify::collect;
use crate::verify::compare::Readings;
use crate::verify::read;

/// How long the other nodes may take to say what they have, while rows are locked here.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// No trigger of an application and no foreign key acts on a row that is only written again; at peers none does either.
/// A policy that hides rows would leave them as they are. There is no origin and no marker: it is a local transaction.
const ORDINARY: &str = "SET session_replication_role = replica; SET row_security = off";

/// Each node's values of some rows.
type Values = BTreeMap<NodeId, BTreeMap<RowKey, RowValues>>;

/// Repairs these rows in one transaction, or none of them.
pub(crate) async fn execute(shared: &Arc<Shared>, wanted: &RepairRows) -> Result<Answer, Error> {
    let catalog = catalog(shared).await?;
    let mut client = connect(shared).await?;
    let transaction = client.transaction().await?;
    let compared: BTreeMap<&RowKey, &Readings> = wanted.rows.iter().map(|(key, readings)| (key, readings)).collect();
    let locked = lock(&transaction, wanted, &catalog).await?;
    let looked = tokio::time::timeout(LOOK_MAX, look(shared, &transaction, wanted, &catalog, locked)).await;
    let looked = looked.map_err(|_| Error::TryAgain("a node took too long to say what it has".to_owned()))??;
    let rows: Vec<RowKey> = looked
        .into_iter()
        .filter(|(key, readings)| compared.get(key) == Some(&readings))
        .map(|(key, _)| key)
        .collect();
    if !rows.is_empty() {
        let values = values(shared, &transaction, wanted, &catalog, &rows).await?;
        write(&transaction, wanted, &catalog, &rows).await?;
        note(&transaction, shared.me.node, wanted, &rows, &values).await?;
    }
    transaction.commit().await?;
    let (repaired, left) = (rows.len() as u64, (wanted.rows.len() - rows.len()) as u64);
    let table = format!("{}.{}", wanted.part.schema, wanted.part.table);
    tracing::info!(table, source = %wanted.source, act = ?wanted.act, repaired, left, "repaired rows");
    Ok(Answer::Repaired { repaired, left })
}

async fn connect(shared: &Shared) -> Result<Client, Error> {
    let client = sql::connect(shared, "repair").await?;
    client.batch_execute(ORDINARY).await?;
    let row = client
        .query_one("SELECT to_regclass('synapse.repair_log') IS NOT NULL", &[])
        .await?;
    if row.try_get(0)? {
        return Ok(client);
    }
    Err(Error::Refused(
        "table synapse.repair_log is missing: this database was set up by an earlier version; hint: start synapsed once \
         as a superuser, or run the script for an administrator again"
            .to_owned(),
    ))
}

/// The rows that are there and could be locked.
async fn lock(transaction: &Transaction<'_>, wanted: &RepairRows, catalog: &Catalog) -> Result<Vec<RowKey>, Error> {
    let keys: Vec<RowKey> = wanted.rows.iter().map(|(key, _)| key.clone()).collect();
    let columns = read::by_column(&wanted.part, &keys)?;
    let sql = statement::lock(&wanted.part, catalog, wanted.act);
    let rows = transaction.query(&sql, &read::parameters(&columns)).await?;
    let width = read::key_width(&wanted.part);
    rows.iter().map(|row| read::key(row, width)).collect()
}

/// Every node's reading of rows that are locked here. The statement begins after the locks were got, and so sees what
/// they protect.
async fn look(
    shared: &Arc<Shared>,
    transaction: &Transaction<'_>,
    wanted: &RepairRows,
    catalog: &Catalog,
    keys: Vec<RowKey>,
) -> Result<Vec<(RowKey, Readings)>, Error> {
    let mut nodes = Vec::with_capacity(wanted.nodes.len());
    let others = wanted.nodes.iter().filter(|node| **node != shared.me.node);
    let others = others
        .map(|node| async { Ok::<_, AskError>((*node, collect::rows(shared, *node, &wanted.part, &keys).await?)) });
    let others: BTreeMap<NodeId, Readings> = try_join_all(others).await.map_err(Error::from)?.into_iter().collect();
    let own = within::readings(transaction, &wanted.part, catalog, &keys).await?;
    for node in &wanted.nodes {
        nodes.push(match others.get(node) {
            Some(readings) => readings.clone(),
            None => own.clone(),
        });
    }
    let rows = crate::verify::settle::by_key(nodes, keys.len());
    Ok(keys.into_iter().zip(rows).collect())
}

async fn values(
    shared: &Arc<Shared>,
    transaction: &Transaction<'_>,
    wanted: &RepairRows,
    catalog: &Catalog,
    keys: &[RowKey],
) -> Result<Values, Error> {
    let others = wanted.nodes.iter().filter(|node| **node != shared.me.node);
    let others = others
        .map(|node| async { Ok::<_, AskError>((*node, collect::values(shared, *node, &wanted.part, keys).await?)) });
    let others = tokio::time::timeout(LOOK_MAX, try_join_all(others)).await;
    let others = others.map_err(|_| Error::TryAgain("a node took too long to give its rows".to_owned()))?;
    let mut values: Values = others.map_err(Error::from)?.into_iter().collect();
    let own = within::values(transaction, &wanted.part, catalog, keys).await?;
    values.insert(shared.me.node, own);
    Ok(values)
}

async fn write(
    transaction: &Transaction<'_>,
    wanted: &RepairRows,
    catalog: &Catalog,
    keys: &[RowKey],
) -> Result<(), Error> {
    let part = &wanted.part;
    let sql = match wanted.act {
        Act::Delete => Some(statement::delete(part, catalog)),
        Act::Send => statement::send(part, catalog),
    };
    let name = format!("{}.{}", part.schema, part.table);
    let sql = sql.ok_or_else(|| {
        Error::Refused(format!(
            "{name} has no column that an UPDATE may set: all are generated; hint: delete and insert the row"
        ))
    })?;
    let columns = read::by_column(part, keys)?;
    let written = transaction.execute(&sql, &read::parameters(&columns)).await?;
    if written != keys.len() as u64 {
        return Err(Error::Refused(format!(
            "{written} of {} rows of {name} were written: a trigger that fires always stands in the way",
            keys.len()
        )));
    }
    Ok(())
}

async fn note(
    transaction: &Transaction<'_>,
    me: NodeId,
    wanted: &RepairRows,
    keys: &[RowKey],
    values: &Values,
) -> Result<(), Error> {
    let part = &wanted.part;
    let records: Vec<Record> = keys
        .iter()
        .map(|key| {
            let of_node = |node: &NodeId| (*node, values.get(node).and_then(|rows| rows.get(key)));
            let before: Vec<_> = wanted.nodes.iter().map(of_node).collect();
            let after = match wanted.act {
                Act::Delete => None,
                Act::Send => of_node(&me).1,
            };
            record(part, key, &before, after)
        })
        .collect();
    let keys: Vec<&str> = records.iter().map(|record| record.key.as_str()).collect();
    let before: Vec<&str> = records.iter().map(|record| record.before.as_str()).collect();
    let after: Vec<Option<&str>> = records.iter().map(|record| record.after.as_deref()).collect();
    let table = format!("{}.{}", part.schema, part.table);
    transaction
        .execute(
            statement::LOG,
            &[&table, &wanted.source.as_str(), &me.as_str(), &keys, &before, &after],
        )
        .await?;
    Ok(())
}
