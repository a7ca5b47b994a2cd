use tokio_postgres::GenericClient;

use super::{Catalog, LeftOut, Reason, Table};
use crate::{Error, Pattern, Result, sql};

/// Reads the catalogue in one query. Given a transaction, it shows what that transaction sees.
///
/// # Errors
/// PostgreSQL's own.
pub async fn catalog<C: GenericClient>(client: &mut C, exclude: &[Pattern]) -> Result<Catalog> {
    let doing = "read the catalogue";
    // Type names are qualified only against a bare search path. The setting goes with the transaction, which is rolled back.
    let transaction = client.transaction().await.map_err(Error::doing(doing))?;
    transaction
        .batch_execute("SET LOCAL search_path = pg_catalog, pg_temp")
        .await
        .map_err(Error::doing(doing))?;
    let rows = transaction
        .query(sql::CATALOG, &[])
        .await
        .map_err(Error::doing(doing))?;
    transaction.rollback().await.map_err(Error::doing(doing))?;

    let mut catalog = Catalog {
        tables: Vec::new(),
        why_not_replicated: Vec::new(),
    };
    for row in rows {
        let table: Table = serde_json::from_str(row.get(0)).map_err(|error| Error::Answer {
            what: "a table",
            problem: error.to_string(),
        })?;
        let reason = match exclude
            .iter()
            .find(|pattern| pattern.matches(&table.schema, &table.name))
        {
            Some(pattern) => Some(Reason::Excluded(pattern.to_string())),
            None => reason(row.get(1))?,
        };
        match reason {
            None => catalog.tables.push(table),
            Some(reason) => {
                catalog.why_not_replicated.push(LeftOut {
                    schema: table.schema,
                    name: table.name,
                    reason,
                });
            }
        }
    }
    // PostgreSQL sorts names by bytes, and so do we: `find` depends on it.
    catalog
        .tables
        .sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    Ok(catalog)
}

fn reason(standing: &str) -> Result<Option<Reason>> {
    Ok(match standing {
        "replicated" => None,
        "partitioned" => Some(Reason::Partitioned),
        "unlogged" => Some(Reason::Unlogged),
        "temporary" => Some(Reason::Temporary),
        "foreign" => Some(Reason::Foreign),
        "foreign_partition" => Some(Reason::ForeignPartition),
        other => {
            return Err(Error::Answer {
                what: "a table",
                problem: format!("unknown standing {other:?}"),
            });
        }
    })
}
