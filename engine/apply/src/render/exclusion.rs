//! Which rows exclude each other, asked of the server with what it enforces itself.
//!
//! The expressions of an index name its columns without their table. So each is put into a query of its own, over nothing
//! but the table, or a row of its type under the table's name; the images outside of it have a name that the table has
//! not. In all statements `k0`, `k1`, … are the key, and `e0`, `e1`, … what a constraint compares.

use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;

use super::rows;
use crate::constraints::{Constraint, Constraints, Element, Source};
use crate::name::{cast_type, list, literal, quoted, relation};

/// Elements whose nulls are told apart: sixteen conditions at most.
const PARTED_MAX: usize = 4;

/// The columns of an image that the statements are sent, in the order of the parameters.
pub(crate) fn sent(table: &Table, constraint: &Constraint) -> Vec<ColumnId> {
    let key_is_written = table.key.iter().all(|id| table.at(*id).writable);
    match constraint.columns().filter(|_| key_is_written) {
        Some(columns) => {
            let mut sent: Vec<ColumnId> = table.key.iter().copied().chain(columns).collect();
            sent.sort_unstable();
            sent.dedup();
            sent
        }
        None => columns(table, |id| table.at(id).writable),
    }
}

/// The columns of a standing row that are answered behind the image's number: what can be written, and the key.
pub(crate) fn answered(table: &Table) -> Vec<ColumnId> {
    columns(table, |id| table.at(id).writable || table.key.contains(&id))
}

/// Rows of the table that exclude images, with the numbers of these from 1.
pub(crate) fn standing(table: &Table, constraints: &Constraints, constraint: &Constraint) -> String {
    let outer = outer(table);
    let compared = Compared {
        key: |at: usize| quoted(&table.at(table.key[at]).name),
        element: |at: usize| constraint.elements[at].sql.clone(),
        outer,
    };
    let wanted: Vec<String> = answered(table).iter().map(|id| shown(table, *id)).collect();
    let held = constraint
        .predicate
        .as_ref()
        .map_or_else(|| "true".to_owned(), |sql| format!("({sql})"));
    let differs = compared.differs(table, constraints);
    let branches = compared.excludes(constraint).into_iter().map(|condition| {
        format!(
            "SELECT {} FROM ONLY {} AS {} WHERE {held} AND {condition} AND {differs}",
            wanted.join(", "),
            relation(table),
            quoted(&table.name)
        )
    });
    let branches: Vec<String> = branches.collect();
    format!(
        "WITH {} SELECT {outer}.ord, s.* FROM {outer} CROSS JOIN LATERAL ({}) AS s",
        images(table, constraints, constraint),
        branches.join(" UNION ALL ")
    )
}

/// Displaced rows and other images that exclude images. Answers with the number of an image and either the greater number
/// of another one or the `row_id` of a displaced row.
pub(crate) fn apart(table: &Table, constraints: &Constraints, constraint: &Constraint) -> String {
    let outer = outer(table);
    let compared = Compared {
        key: |at: usize| format!("x.k{at}"),
        element: |at: usize| format!("x.e{at}"),
        outer,
    };
    let cell = |id: ColumnId, _: usize| format!("(d.image ->> {})", literal(&table.at(id).name));
    let of_displaced = values(table, constraints, constraint, &cell);
    let differs = compared.differs(table, constraints);
    let branches = compared.excludes(constraint).into_iter().map(|condition| {
        format!(
            "SELECT {outer}.ord, x.ord, x.row_id FROM {outer} JOIN x ON {condition} \
             WHERE {differs} AND (x.ord IS NULL OR {outer}.ord < x.ord)"
        )
    });
    let branches: Vec<String> = branches.collect();
    // OFFSET keeps the images of other tables from being cast to the types of this one.
    format!(
        "WITH {}, x AS MATERIALIZED (SELECT NULL::pg_catalog.bytea AS row_id, {outer}.* FROM {outer} UNION ALL \
         SELECT d.row_id, NULL::pg_catalog.int8, e.* FROM (SELECT row_id, image FROM synapse.displaced \
         WHERE table_schema = {} AND table_name = {} OFFSET 0) AS d CROSS JOIN LATERAL ({of_displaced}) AS e) {}",
        images(table, constraints, constraint),
        literal(&table.schema),
        literal(&table.name),
        branches.join(" UNION ALL ")
    )
}

/// What an image, or a row beside it, is compared by.
struct Compared<K, E> {
    key: K,
    element: E,
    outer: &'static str,
}

impl<K: Fn(usize) -> String, E: Fn(usize) -> String> Compared<K, E> {
    /// The rows have different keys: none excludes itself.
    fn differs(&self, table: &Table, constraints: &Constraints) -> String {
        let shape = &constraints.shape;
        let equal = shape.operators.iter().zip(&shape.collations).enumerate();
        let equal: Vec<String> = equal
            .map(|(at, (operator, collation))| {
                let collate = collate(collation.as_ref());
                format!("{} {operator} {}.k{at}{collate}", (self.key)(at), self.outer)
            })
            .collect();
        match table.has_key() {
            true => format!("NOT ({})", equal.join(" AND ")),
            false => "true".to_owned(),
        }
    }

    /// The rows exclude each other: one of these holds, and never two. Where nulls are equal there is one for each choice
    /// of elements that are null, because an index answers `IS NULL` and not `OR`.
    fn excludes(&self, constraint: &Constraint) -> Vec<String> {
        let parted = match constraint.nulls_equal {
            true => constraint.elements.len().min(PARTED_MAX),
            false => 0,
        };
        let case = |nulls: u32| {
            let conditions = constraint.elements.iter().enumerate().map(|(at, element)| {
                let (holds, both_null) = (self.holds(at, element), self.both_null(at));
                match at < parted {
                    true if nulls & (1 << at) != 0 => both_null,
                    false if constraint.nulls_equal => format!("({holds} OR {both_null})"),
                    true | false => holds,
                }
            });
            conditions.collect::<Vec<_>>().join(" AND ")
        };
        (0..1 << parted).map(case).collect()
    }

    fn holds(&self, at: usize, element: &Element) -> String {
        let Element {
            operator, collation, ..
        } = element;
        let collate = collate(collation.as_ref());
        format!("{} {operator} {}.e{at}{collate}", (self.element)(at), self.outer)
    }

    /// A row of nulls `IS NULL` too, and is not null.
    fn both_null(&self, at: usize) -> String {
        let (element, outer) = ((self.element)(at), self.outer);
        format!("({element} IS NOT DISTINCT FROM NULL AND {outer}.e{at} IS NOT DISTINCT FROM NULL)")
    }
}

/// The images sent, as a query of that name: number, key, and what is compared.
fn images(table: &Table, constraints: &Constraints, constraint: &Constraint) -> String {
    let outer = outer(table);
    let count = sent(table, constraint).len();
    let cell = |_: ColumnId, at: usize| format!("u.c{at}");
    format!(
        "{outer} AS MATERIALIZED (SELECT u.ord, e.* FROM {} CROSS JOIN LATERAL ({}) AS e)",
        rows(count, true),
        values(table, constraints, constraint, &cell)
    )
}

/// Key and elements of one row whose columns' texts `cell` names; nothing if the constraint does not hold it.
fn values(
    table: &Table,
    constraints: &Constraints,
    constraint: &Constraint,
    cell: &dyn Fn(ColumnId, usize) -> String,
) -> String {
    let key = table.key.iter().enumerate();
    let key = key.map(|(at, id)| format!("{} AS k{at}", quoted(&table.at(*id).name)));
    let elements = constraint.elements.iter().enumerate();
    let elements = elements.map(|(at, element)| format!("{} AS e{at}", element.sql));
    let wanted: Vec<String> = key.chain(elements).collect();
    let held = constraint
        .predicate
        .as_ref()
        .map_or_else(String::new, |sql| format!(" WHERE {sql}"));
    format!(
        "SELECT {} FROM {} AS {}{held}",
        wanted.join(", "),
        row(table, constraints, constraint, cell),
        quoted(&table.name)
    )
}

/// One row in the place of the table: the columns that are compared, or where there are expressions one of the table's type,
/// because they may name any column, and the row itself.
fn row(
    table: &Table,
    constraints: &Constraints,
    constraint: &Constraint,
    cell: &dyn Fn(ColumnId, usize) -> String,
) -> String {
    let sent = sent(table, constraint);
    let columns = sent.iter().enumerate().map(|(at, id)| {
        let column = table.at(*id);
        format!(
            "{}::{} AS {}",
            cell(*id, at),
            cast_type(&column.type_sql),
            quoted(&column.name)
        )
    });
    let columns: Vec<String> = columns.collect();
    let columns = format!("(SELECT {})", columns.join(", "));
    if constraint.columns().is_some() && table.key.iter().all(|id| sent.contains(id)) {
        return columns;
    }
    let attributes = constraints.attributes.iter().map(|attribute| match &attribute.source {
        Source::Written => quoted(&attribute.name),
        Source::Stored(expression) => format!("({expression})"),
        Source::Virtual => "NULL".to_owned(),
    });
    let attributes: Vec<String> = attributes.collect();
    format!(
        "pg_catalog.unnest(ARRAY[(SELECT ROW({})::{} FROM {columns} AS {})])",
        attributes.join(", "),
        relation(table),
        quoted(&table.name)
    )
}

/// What the images are called: not as the table, which would hide them from its own columns.
fn outer(table: &Table) -> &'static str {
    match table.name.as_str() {
        "image" => "sent",
        _ => "image",
    }
}

/// A value as its type's output function writes it; a cast to text is something else for a boolean and a padded string.
fn shown(table: &Table, column: ColumnId) -> String {
    let name = list(table, &[column]);
    format!("CASE WHEN {name} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {name}) END")
}

fn collate(collation: Option<&String>) -> String {
    collation.map_or_else(String::new, |name| format!(" COLLATE {name}"))
}

fn columns(table: &Table, wanted: impl Fn(ColumnId) -> bool) -> Vec<ColumnId> {
    let all = (0..table.columns.len()).filter_map(|at| u16::try_from(at).ok());
    all.map(ColumnId).filter(|id| wanted(*id)).collect()
}

#[cfg(test)]
mod tests;
