//! What is compared of each table: a pure function of the nodes' catalogues.

use std::collections::{BTreeMap, BTreeSet};

use synapse_engine_identity::NodeId;
use synapse_engine_setup::SCHEMA;

use super::{VerifyError, Wanted};
use crate::frames::{TablePart, TableShape};

/// One node's tables.
#[derive(Clone, Debug)]
pub(crate) struct Shapes {
    pub(crate) node: NodeId,
    pub(crate) tables: Vec<TableShape>,
}

/// How one table is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TablePlan {
    /// `schema.table`.
    pub(crate) name: String,
    /// Who has it, and is asked.
    pub(crate) nodes: Vec<NodeId>,
    /// Who does not.
    pub(crate) missing_on: Vec<NodeId>,
    /// Columns that are not everywhere, and where they are missing.
    pub(crate) columns_missing: BTreeMap<String, Vec<NodeId>>,
    pub(crate) part: TablePart,
}

/// The plans for the tables that are wanted, by schema and name.
pub(crate) fn plans(shapes: &[Shapes], wanted: &Wanted) -> Result<Vec<TablePlan>, VerifyError> {
    let mut by_name: BTreeMap<(&str, &str), Vec<(NodeId, &TableShape)>> = BTreeMap::new();
    for Shapes { node, tables } in shapes {
        for table in tables {
            by_name
                .entry((&table.schema, &table.table))
                .or_default()
                .push((*node, table));
        }
    }
    let Wanted { tables, after } = wanted;
    let is_known = |name: &String| by_name.keys().any(|(schema, table)| is_named(name, schema, table));
    if let Some(table) = tables.iter().chain(after).find(|name| !is_known(name)) {
        return Err(VerifyError::UnknownTable { table: table.clone() });
    }
    let everyone: BTreeSet<NodeId> = shapes.iter().map(|shapes| shapes.node).collect();
    let is_last = |(schema, table): &(&str, &str)| after.as_ref().is_some_and(|after| is_named(after, schema, table));
    let rest = by_name
        .iter()
        .skip_while(|(name, _)| after.is_some() && !is_last(name))
        .skip(usize::from(after.is_some()));
    // Our own tables are compared where they are asked for.
    let is_chosen = |schema: &str, table: &str| match tables.is_empty() {
        true => schema != SCHEMA,
        false => tables.iter().any(|wanted| is_named(wanted, schema, table)),
    };
    let chosen = rest.filter(|((schema, table), _)| is_chosen(schema, table));
    Ok(chosen.map(|(_, tables)| plan(tables, &everyone)).collect())
}

/// Whether `wanted` names the table: with its schema, or without one in any schema.
fn is_named(wanted: &str, schema: &str, table: &str) -> bool {
    wanted == table || wanted.strip_prefix(schema).and_then(|rest| rest.strip_prefix('.')) == Some(table)
}

fn plan(tables: &[(NodeId, &TableShape)], everyone: &BTreeSet<NodeId>) -> TablePlan {
    let nodes: Vec<NodeId> = tables.iter().map(|(node, _)| *node).collect();
    let any: BTreeSet<&String> = tables.iter().flat_map(|(_, table)| &table.columns).collect();
    let mut columns_missing = BTreeMap::new();
    let mut columns = Vec::new();
    for column in any {
        let without = tables.iter().filter(|(_, table)| !table.columns.contains(column));
        let without: Vec<NodeId> = without.map(|(node, _)| *node).collect();
        if without.is_empty() {
            columns.push(column.clone());
        } else {
            columns_missing.insert(column.clone(), without);
        }
    }
    let (_, first) = tables[0];
    // Nodes that identify rows differently can only be compared as if they did not.
    let sorted = |key: &[String]| key.iter().cloned().collect::<BTreeSet<_>>();
    let same_key = tables.iter().all(|(_, table)| sorted(&table.key) == sorted(&first.key));
    let key = if same_key && first.key.iter().all(|c| columns.contains(c)) {
        first.key.clone()
    } else {
        Vec::new()
    };
    TablePlan {
        name: format!("{}.{}", first.schema, first.table),
        missing_on: everyone.iter().copied().filter(|node| !nodes.contains(node)).collect(),
        nodes,
        columns_missing,
        part: TablePart {
            schema: first.schema.clone(),
            table: first.table.clone(),
            columns,
            key,
        },
    }
}

#[cfg(test)]
mod tests;
