//! `delete-child`: rows without what they refer to go too, and with them what refers to them, where it is to go by its own
//! foreign key. The server does nothing of it here.

use std::collections::BTreeSet;

use synapse_engine_apply::{ForeignKey, OnDelete};
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::entry::Refs;
use super::keys::Keys;
use super::mend::Mended;
use crate::error::Error;

/// Deletes the rows that refer to `refs` through `key`.
pub(super) async fn delete(
    transaction: &Transaction<'_>,
    keys: &Keys,
    key: &ForeignKey,
    refs: &Refs,
) -> Result<Mended, Error> {
    let mut open = vec![(key, refs.clone())];
    while let Some((key, refs)) = open.pop() {
        let below: Vec<&ForeignKey> = keys.to_rows_of(&key.child).collect();
        let gone = delete_rows(transaction, key, &refs, &below).await?;
        for (below, refs) in gone {
            if !is_orphaned(transaction, below, &refs).await? {
                continue;
            }
            match below.on_delete {
                OnDelete::Cascade => open.push((below, refs)),
                OnDelete::Refuse | OnDelete::Change => {
                    let (table, name) = (below.child.shown(), &below.name);
                    return Ok(Mended::Stuck(format!(
                        "a row that was to go with it is referred to by {table} through {name}, which is not ON DELETE CASCADE"
                    )));
                }
            }
        }
    }
    Ok(Mended::Deleted)
}

/// Deletes, and answers with what the rows were referred to by.
async fn delete_rows<'k>(
    transaction: &Transaction<'_>,
    key: &ForeignKey,
    refs: &Refs,
    below: &[&'k ForeignKey],
) -> Result<Vec<(&'k ForeignKey, Refs)>, Error> {
    let named = |below: &&ForeignKey| format!("ARRAY[{}]::text[]", below.parent_texts("c").join(", "));
    let named: Vec<String> = below.iter().map(named).collect();
    let returning = if named.is_empty() {
        "1".to_owned()
    } else {
        named.join(", ")
    };
    let sql = format!(
        "DELETE FROM {} AS c USING {} WHERE {} RETURNING {returning}",
        key.child.rows(),
        key.sent(1),
        key.child_refers_to_sent()
    );
    let rows = transaction.query_typed(&sql, &refs.parameters()).await?;
    let (mut gone, mut seen) = (Vec::new(), BTreeSet::new());
    for row in &rows {
        for (at, below) in below.iter().enumerate() {
            let values: Vec<Option<String>> = row.try_get(at)?;
            if values.iter().all(Option::is_some) && seen.insert((at, values.clone())) {
                gone.push((*below, Refs::new(values)));
            }
        }
    }
    Ok(gone)
}

/// Whether rows refer to it, and it is not there.
async fn is_orphaned(transaction: &Transaction<'_>, key: &ForeignKey, refs: &Refs) -> Result<bool, Error> {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM {} JOIN {} AS c ON {} WHERE NOT EXISTS (SELECT FROM {} AS p WHERE {}))",
        key.sent(1),
        key.child.rows(),
        key.child_refers_to_sent(),
        key.parent.rows(),
        key.parent_is_sent()
    );
    let parameters: Vec<(_, Type)> = refs.parameters();
    let rows = transaction.query_typed(&sql, &parameters).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}
