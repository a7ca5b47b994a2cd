//! Conflict policies: rows of `synapse.policies`, which one node writes and all replicate.

pub(crate) mod agree;
mod change;
mod check;
pub(crate) mod foreign_keys;
pub(crate) mod request;
pub(crate) mod set;

use std::sync::Mutex;

use synapse_engine_change::{Change, Tuple, Value};
use synapse_engine_identity::{ColumnSet, Epoch};
use synapse_engine_plan::PolicySet;
use synapse_engine_replication::{Policy, Rules};
use synapse_engine_setup::{POLICIES, SCHEMA};
use tokio_postgres::Client;

use crate::error::Error;
use crate::shared::{NodeKernel, Shared, UNPOISONED};
use crate::tables::Numbers;

pub use change::PolicyChange;
pub(crate) use check::{of_function, of_table, problems};

/// A row of `synapse.policies`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyRow {
    pub(crate) epoch: Epoch,
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) policy: Policy,
}

impl PolicyRow {
    /// As the kernel takes it, with the table's and the columns' numbers.
    pub(crate) fn numbered(&self, numbers: &Mutex<Numbers>) -> PolicySet {
        let mut numbers = numbers.lock().expect(UNPOISONED);
        let (table, columns) = numbers.columns(&self.schema, &self.table, self.policy.counters());
        PolicySet {
            epoch: self.epoch,
            table,
            rules: Rules {
                policy: self.policy.clone(),
                counters: columns.into_iter().collect::<ColumnSet>(),
            },
        }
    }
}

/// What a change says of policies, when it is a row of their table. One that cannot be read counts as that of a person who
/// wrote into the table: it is said, and left alone.
pub(crate) fn of_change(change: &Change<'_>, numbers: &Mutex<Numbers>) -> Option<PolicySet> {
    let (relation, new) = match *change {
        Change::Insert { relation, new } => (relation, new),
        Change::Update { .. } | Change::Delete { .. } | Change::Truncate { .. } => return None,
    };
    if relation.schema != SCHEMA || relation.name != POLICIES {
        return None;
    }
    let text = |name: &str, tuple: Tuple<'_>| {
        let at = relation.columns.iter().position(|column| column.name == name)?;
        match tuple.get(at) {
            Value::Text(text) => String::from_utf8(text.to_vec()).ok(),
            Value::Null | Value::Unchanged | Value::Binary(_) => None,
        }
    };
    let row = || {
        Some(PolicyRow {
            epoch: Epoch(text("epoch", new)?.parse().ok()?),
            schema: text("schema_name", new)?,
            table: text("table_name", new)?,
            policy: text("policy", new)?.parse().ok()?,
        })
    };
    let row = row();
    if row.is_none() {
        tracing::error!("a row of synapse.policies cannot be read; hint: policies are set with synapsectl table set");
    }
    Some(row?.numbered(numbers))
}

/// Reads what stands in the database.
pub(crate) async fn read(client: &Client) -> Result<Vec<PolicyRow>, Error> {
    let sql = "SELECT epoch, schema_name, table_name, policy FROM synapse.policies ORDER BY epoch";
    let rows = client.query(sql, &[]).await?;
    let row = |row: &tokio_postgres::Row| -> Result<PolicyRow, Error> {
        let (epoch, text): (i32, String) = (row.try_get(0)?, row.try_get(3)?);
        let unreadable = |why: String| Error::Refused(format!("row {epoch} of synapse.policies cannot be read: {why}"));
        Ok(PolicyRow {
            epoch: Epoch(u32::try_from(epoch).map_err(|error| unreadable(error.to_string()))?),
            schema: row.try_get(1)?,
            table: row.try_get(2)?,
            policy: text
                .parse()
                .map_err(|error: synapse_engine_replication::InvalidPolicy| unreadable(error.to_string()))?,
        })
    };
    rows.iter().map(row).collect()
}

/// The policy of a table as this node knows it; `None` while it starts.
pub(crate) fn in_force(shared: &Shared, schema: &str, table: &str) -> Option<Policy> {
    let number = shared.numbers.lock().expect(UNPOISONED).columns(schema, table, &[]).0;
    let kernel = shared.kernel()?;
    let kernel = crate::shared::lock(&kernel);
    let policies = kernel.policies();
    Some(policies.at(number, policies.latest()).policy.clone())
}

/// Teaches the kernel what stands in the database.
pub(crate) fn learn(shared: &Shared, kernel: &mut NodeKernel, rows: &[PolicyRow]) {
    for row in rows {
        let PolicySet { epoch, table, rules } = row.numbered(&shared.numbers);
        kernel.learn(epoch, table, rules);
    }
}

/// Teaches the kernel the policies that received blocks hold and that are not applied yet: a transaction that waits for a
/// person may stand before the one that brings the answer.
pub(crate) fn learn_from_journals(shared: &Shared, kernel: &Mutex<NodeKernel>) -> Result<(), Error> {
    for origin in shared
        .journal
        .origins()
        .into_iter()
        .filter(|origin| *origin != shared.me)
    {
        let applied = crate::shared::lock(kernel).frontier().get(origin);
        let log = shared.journal.log(origin)?;
        let mut reader = log.read_after(applied.max(log.begin()))?;
        while let Some(block) = reader.next_block()? {
            let block = block.decode()?;
            for at in 0..block.transactions.len() {
                for change in block.changes_of(at) {
                    if let Some(PolicySet { epoch, table, rules }) = of_change(&change, &shared.numbers) {
                        crate::shared::lock(kernel).learn(epoch, table, rules);
                    }
                }
            }
        }
    }
    Ok(())
}
