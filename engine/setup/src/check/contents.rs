use tokio_postgres::{Client, Row};

use crate::{
    Catalog, Definition, Error, Finding, Impossible, Position, Reason, Result, Table, Wanted, catalog, sql, stride,
};

/// How many names a finding lists.
const NAMES_MAX: usize = 10;
/// A sequence that has fewer values left for this node is worth a warning.
const REMAINING_MIN: u64 = 1_000_000;

/// Limits of tables, one finding a kind.
pub(crate) async fn judge_tables(client: &mut Client, wanted: &Wanted, findings: &mut Vec<Finding>) -> Result<()> {
    let catalog = catalog(client, &wanted.exclude).await?;
    let mut warn = |names: Vec<String>, what: &str| {
        if !names.is_empty() {
            findings.push(Finding::warning(format!("{what}: {}", listed(&names))));
        }
    };
    let names = |wants: &dyn Fn(&Table) -> bool| -> Vec<String> {
        catalog
            .tables
            .iter()
            .filter(|table| wants(table))
            .map(|table| qualified(&table.schema, &table.name))
            .collect()
    };
    warn(
        names(&|table| table.key().is_none()),
        "tables without a key: INSERT and TRUNCATE converge, concurrent UPDATE and DELETE need not",
    );
    warn(
        names(&has_deferrable),
        "tables with a deferrable unique or exclusion constraint, which is not enforced on applied rows",
    );
    warn(
        names(&|table| key_columns(table).any(|column| !column.deterministic)),
        "tables whose key has a nondeterministic collation: equal keys may differ in their bytes",
    );
    warn(
        left_out(&catalog, &Reason::Unlogged),
        "unlogged tables are not replicated",
    );
    warn(
        left_out(&catalog, &Reason::ForeignPartition),
        "foreign partitions of replicated tables are not replicated",
    );
    warn(
        names(&|table| !table.apply_triggers.is_empty()),
        "tables with triggers ENABLE ALWAYS or REPLICA, which fire on applied rows too",
    );
    Ok(())
}

/// Sequences that cannot be made disjoint, or run short when they are.
pub(crate) async fn judge_sequences(client: &Client, wanted: &Wanted, findings: &mut Vec<Finding>) -> Result<()> {
    let doing = "read the sequences";
    let noted = client
        .query_one("SELECT to_regclass('synapse.sequences') IS NOT NULL", &[])
        .await
        .map_err(Error::doing(doing))?;
    let original = if noted.get(0) {
        "synapse.sequences"
    } else {
        "(SELECT NULL::regclass, 0, 0, 0, 0 WHERE false)"
    };
    let query = format!(
        "SELECT n.nspname::text, c.relname::text, coalesce(o.increment, s.seqincrement), coalesce(o.start, s.seqstart), \
                coalesce(o.min, s.seqmin), coalesce(o.max, s.seqmax), s.seqcycle, \
                CASE WHEN has_sequence_privilege(s.seqrelid, 'SELECT, USAGE') \
                     THEN pg_sequence_last_value(s.seqrelid) END, s.seqstart \
           FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
           LEFT JOIN {original} AS o(sequence, increment, start, min, max) ON o.sequence = s.seqrelid \
          WHERE c.relpersistence = 'p' AND s.seqrelid >= 16384 AND n.nspname !~ '^pg_' \
            AND n.nspname NOT IN ('synapse', 'information_schema') ORDER BY 1, 2"
    );
    let rows = client.query(&query, &[]).await.map_err(Error::doing(doing))?;
    let (mut short, mut impossible) = (Vec::new(), Vec::new());
    for row in &rows {
        let name = qualified(row.get(0), row.get(1));
        match plan(row, wanted) {
            Ok(remaining) if remaining < REMAINING_MIN => short.push(format!("{name} ({remaining} left)")),
            Ok(_) => {}
            Err(why) => impossible.push(format!("{name} ({why})")),
        }
    }
    if !short.is_empty() {
        let nodes = wanted.share.nodes();
        let what = format!(
            "sequences with few values left for this node when shared by {nodes}: {}",
            listed(&short)
        );
        findings.push(Finding::warning(what));
    }
    if !impossible.is_empty() {
        findings.push(Finding::warning(format!(
            "sequences that cannot be made disjoint: {}",
            listed(&impossible)
        )));
    }
    Ok(())
}

/// How many values this node has left; a sequence that has handed out nothing is at its start.
fn plan(row: &Row, wanted: &Wanted) -> std::result::Result<u64, Impossible> {
    let definition = Definition {
        increment: row.get(2),
        start: row.get(3),
        min: row.get(4),
        max: row.get(5),
        cycle: row.get(6),
    };
    let last: Option<i64> = row.get(7);
    let position = Position {
        last: last.unwrap_or_else(|| row.get(8)),
        called: last.is_some(),
    };
    stride(definition, position, wanted.share).map(|stride| stride.remaining())
}

fn has_deferrable(table: &Table) -> bool {
    table.primary_key.as_ref().is_some_and(|key| key.deferrable)
        || table.unique_indexes.iter().any(|index| index.deferrable)
        || table.exclusions.iter().any(|exclusion| exclusion.deferrable)
}

fn key_columns(table: &Table) -> impl Iterator<Item = &crate::Column> {
    table
        .key()
        .into_iter()
        .flat_map(|key| &key.columns)
        .filter_map(|name| table.column(name))
}

fn left_out(catalog: &Catalog, reason: &Reason) -> Vec<String> {
    let of_kind = catalog.why_not_replicated.iter().filter(|left| left.reason == *reason);
    of_kind.map(|left| qualified(&left.schema, &left.name)).collect()
}

fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", sql::identifier(schema), sql::identifier(name))
}

fn listed(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(NAMES_MAX)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
