//! `restore-parent`: what is referred to comes back as it was, and so does what it refers to in turn. The server checks no
//! foreign key here, so each is looked at, and what stands is held until the transaction ends.

use std::collections::BTreeSet;

use synapse_engine_apply::{ForeignKey, Related};
use tokio_postgres::Transaction;

use super::entry::{Entry, Refs, Whereabouts, stands, whereabouts};
use super::keys::Keys;
use super::mend::Mended;
use crate::error::Error;

/// Bringing it back would displace what displaced it, and what refers to that would miss it in turn.
const GIVEN_UP: &str = "another row displaced it, and then it was given up or deleted, so that it is not restored; hint: \
    synapse.orphans has what they refer to: let them refer to another row, or delete them, or set delete-child or report";

/// Brings back what rows refer to through `key`.
pub(super) async fn restore(
    transaction: &Transaction<'_>,
    keys: &Keys,
    key: &ForeignKey,
    entry: &Entry,
) -> Result<Mended, Error> {
    if entry.displaced {
        return Ok(Mended::Stuck(GIVEN_UP.to_owned()));
    }
    if !entry.has_image && entry.fresh {
        return Err(Error::TryAgain("another node may know how the row was".to_owned()));
    }
    if !entry.has_image {
        return Ok(Mended::Stuck("it is not known any more how it was".to_owned()));
    }
    insert(transaction, &key.parent, entry.id).await?;
    if !stands(transaction, key, &entry.refs).await? {
        let why = "it was restored and is not there: a trigger that fires always, or another row, stands in the way";
        return Ok(Mended::Stuck(why.to_owned()));
    }
    let (mut open, mut seen) = (vec![(&key.parent, entry.id)], BTreeSet::from([entry.id]));
    while let Some((table, image)) = open.pop() {
        for above in keys.of(table) {
            let Some(refs) = refers_to(transaction, above, image).await? else {
                continue;
            };
            if stands(transaction, above, &refs).await? {
                continue;
            }
            if whereabouts(transaction, above, &refs).await? == Whereabouts::Displaced {
                let (table, above) = (above.parent.shown(), &above.name);
                return Ok(Mended::Stuck(format!(
                    "it refers to a row of {table} through {above} that is displaced; hint: it is restored when that row comes back"
                )));
            }
            match kept(transaction, above, &refs).await? {
                Some(image) if seen.insert(image) => {
                    insert(transaction, &above.parent, image).await?;
                    open.push((&above.parent, image));
                }
                Some(_) | None => {
                    let (table, above) = (above.parent.shown(), &above.name);
                    return Ok(Mended::Stuck(format!(
                        "it refers to a row of {table} through {above} that is gone too, and not known any more"
                    )));
                }
            }
        }
    }
    Ok(Mended::Restored)
}

async fn insert(transaction: &Transaction<'_>, table: &Related, image: i64) -> Result<(), Error> {
    let sql = format!(
        "{} FROM synapse.orphans o WHERE o.id = $1",
        table.insert_image("o.image")
    );
    transaction.execute(&sql, &[&image]).await?;
    Ok(())
}

/// What a kept row refers to; `None` where that is nothing.
async fn refers_to(transaction: &Transaction<'_>, key: &ForeignKey, image: i64) -> Result<Option<Refs>, Error> {
    let sql = format!(
        "SELECT ARRAY[{}]::text[] FROM synapse.orphans o, LATERAL ({}) AS c WHERE o.id = $1 AND {}",
        key.child_texts().join(", "),
        key.child.of_image("o.image"),
        key.child_refers()
    );
    let row = transaction.query_opt(&sql, &[&image]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.map(Refs::new))
}

/// Where it is kept how such a row was: the latest.
async fn kept(transaction: &Transaction<'_>, key: &ForeignKey, refs: &Refs) -> Result<Option<i64>, Error> {
    let (schema, table) = (refs.next(), refs.next() + 1);
    let sql = format!(
        "SELECT o.id FROM {} CROSS JOIN synapse.orphans o, LATERAL ({}) AS p \
         WHERE o.schema_name = ${schema}::text AND o.table_name = ${table}::text AND o.image IS NOT NULL AND {} \
         ORDER BY o.id DESC LIMIT 1",
        key.sent(1),
        key.parent.of_image("o.image"),
        key.parent_is_sent()
    );
    let mut parameters = refs.parameters();
    parameters.push((&key.parent.schema, tokio_postgres::types::Type::TEXT));
    parameters.push((&key.parent.name, tokio_postgres::types::Type::TEXT));
    let rows = transaction.query_typed(&sql, &parameters).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}
