use tokio_postgres::Client;

use crate::session::begin;
use crate::{Error, Pattern, Result, excluded, sql};

/// The trigger that refuses the application's writes. It does not fire in sessions that apply.
const TRIGGER: &str = "synapse_joining";

/// Tables that may hold rows of the application, also partitioned ones: a statement that names the root fires the
/// root's trigger alone.
const TABLES: &str = "SELECT n.nspname::text, c.relname::text, EXISTS \
        (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'synapse_joining') \
   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname NOT IN ('information_schema', 'synapse') \
    AND NOT starts_with(n.nspname, 'pg_') ORDER BY 1, 2";

/// Lets the application write to no table that could be replicated, until [`lower_fence`]; answers how many tables were
/// fenced now. When it returns, every write that came before has ended. May be repeated, for tables that came since.
///
/// # Errors
/// PostgreSQL's own; a table whose lock is not to be had in time is tried again with the next call.
pub async fn raise_fence(client: &mut Client, exclude: &[Pattern]) -> Result<usize> {
    let mut raised = 0;
    for (schema, name, fenced) in tables(client).await? {
        if fenced || excluded(exclude, &schema, &name) {
            continue;
        }
        let statement = format!(
            "CREATE TRIGGER {TRIGGER} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {}.{} \
             FOR EACH STATEMENT EXECUTE FUNCTION synapse.refuse_write()",
            sql::identifier(&schema),
            sql::identifier(&name)
        );
        execute(client, "fence a table", &statement).await?;
        raised += 1;
    }
    Ok(raised)
}

/// Lets the application write again; answers how many tables were fenced.
///
/// # Errors
/// As [`raise_fence`].
pub async fn lower_fence(client: &mut Client) -> Result<usize> {
    let mut lowered = 0;
    for (schema, name, fenced) in tables(client).await? {
        if fenced {
            let table = format!("{}.{}", sql::identifier(&schema), sql::identifier(&name));
            let statement = format!("DROP TRIGGER IF EXISTS {TRIGGER} ON {table}");
            execute(client, "take the fence from a table", &statement).await?;
            lowered += 1;
        }
    }
    Ok(lowered)
}

async fn tables(client: &Client) -> Result<Vec<(String, String, bool)>> {
    let rows = client
        .query(TABLES, &[])
        .await
        .map_err(Error::doing("list the tables to fence"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

async fn execute(client: &mut Client, action: &'static str, statement: &str) -> Result<()> {
    let transaction = begin(client).await?;
    transaction
        .batch_execute(statement)
        .await
        .map_err(Error::doing(action))?;
    transaction.commit().await.map_err(Error::doing(action))
}
