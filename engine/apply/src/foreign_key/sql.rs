//! Foreign keys and their rows as SQL: `p` is a row that is referred to, `c` one that refers, `u` a row that is sent.

use super::{ForeignKey, Pair, Related};
use crate::name::{cast_type, quoted};

impl Related {
    /// The table as `FROM` takes it: with its partitions, and without tables that inherit from it, which foreign keys
    /// know nothing of.
    #[must_use]
    pub fn rows(&self) -> String {
        let name = format!("{}.{}", quoted(&self.schema), quoted(&self.name));
        if self.partitioned { name } else { format!("ONLY {name}") }
    }

    /// `schema.table`, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Whether it is this table.
    #[must_use]
    pub fn is(&self, other: &Related) -> bool {
        (&self.schema, &self.name) == (&other.schema, &other.name)
    }

    /// A row of it as an object of texts, as SQL; `alias` is the row.
    #[must_use]
    pub fn image(&self, alias: &str) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        part_of_image(alias, &names)
    }

    /// The row whose image is `image`, as a query.
    #[must_use]
    pub fn of_image(&self, image: &str) -> String {
        let values = self.columns.iter().map(|(name, type_sql)| {
            let (key, column) = (literal(name), quoted(name));
            format!("({image} ->> {key})::{} AS {column}", cast_type(type_sql))
        });
        format!("SELECT {}", values.collect::<Vec<_>>().join(", "))
    }

    /// An insert of the row whose image is `image`, as SQL.
    #[must_use]
    pub fn insert_image(&self, image: &str) -> String {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        format!(
            "INSERT INTO {}.{} ({}) OVERRIDING SYSTEM VALUE {}",
            quoted(&self.schema),
            quoted(&self.name),
            names.join(", "),
            self.of_image(image)
        )
    }
}

impl ForeignKey {
    /// The rows sent, as `FROM` takes them: one `text[]` parameter for each column, `$first` and on.
    #[must_use]
    pub fn sent(&self, first: usize) -> String {
        let list = |each: &dyn Fn(usize) -> String| {
            let all: Vec<String> = (0..self.columns.len()).map(each).collect();
            all.join(", ")
        };
        format!(
            "unnest({}) WITH ORDINALITY AS u({}, ord)",
            list(&|at| format!("${}::text[]", at + first)),
            list(&|at| format!("c{at}"))
        )
    }

    /// That `p` is the row that the row sent names, as SQL.
    #[must_use]
    pub fn parent_is_sent(&self) -> String {
        self.all(|at, pair| {
            let Pair {
                parent,
                parent_type,
                same,
                ..
            } = pair;
            format!("p.{} {same} u.c{at}::{parent_type}", quoted(parent))
        })
    }

    /// Whether the row that is sent as `$1` and on is there, and whether it is displaced, of one moment, as a query.
    #[must_use]
    pub fn parent_whereabouts(&self) -> String {
        let values = self.columns.iter().map(
            |Pair {
                 parent, parent_type, ..
             }| { format!("(d.image ->> {})::{parent_type} AS {}", literal(parent), quoted(parent)) },
        );
        let values = values.collect::<Vec<_>>().join(", ");
        let leaves = self.parent.leaves.iter();
        let leaves = leaves.map(|(schema, name)| format!("({}, {})", literal(schema), literal(name)));
        let of_parent = match leaves.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => "false".to_owned(),
            leaves => format!("(d.table_schema, d.table_name) IN ({leaves})"),
        };
        let (sent, parent, is) = (self.sent(1), self.parent.rows(), self.parent_is_sent());
        format!(
            "SELECT EXISTS (SELECT FROM {sent} JOIN {parent} AS p ON {is}), EXISTS (SELECT FROM {sent} \
             CROSS JOIN synapse.displaced d, LATERAL (SELECT {values}) AS p \
             WHERE {of_parent} AND {is})"
        )
    }

    /// That `c` refers to what the row sent names, as SQL.
    #[must_use]
    pub fn child_refers_to_sent(&self) -> String {
        self.all(|at, pair| {
            let Pair {
                child,
                parent_type,
                equal,
                ..
            } = pair;
            format!("u.c{at}::{parent_type} {equal} c.{}", quoted(child))
        })
    }

    /// That `c` refers to `p`, as SQL.
    #[must_use]
    pub fn child_refers_to_parent(&self) -> String {
        self.all(|_, pair| format!("p.{} {} c.{}", quoted(&pair.parent), pair.equal, quoted(&pair.child)))
    }

    /// That `c` refers to something, as SQL. With MATCH FULL no row has some of the columns NULL.
    #[must_use]
    pub fn child_refers(&self) -> String {
        self.all(|_, pair| format!("c.{} IS NOT NULL", quoted(&pair.child)))
    }

    /// Texts of the columns that refer, of `c`, as SQL.
    #[must_use]
    pub fn child_texts(&self) -> Vec<String> {
        self.columns.iter().map(|pair| text_of("c", &pair.child)).collect()
    }

    /// Texts of the columns that are referred to, as SQL; `alias` is the row.
    #[must_use]
    pub fn parent_texts(&self, alias: &str) -> Vec<String> {
        self.columns.iter().map(|pair| text_of(alias, &pair.parent)).collect()
    }

    fn all(&self, each: impl Fn(usize, &Pair) -> String) -> String {
        let conditions = self.columns.iter().enumerate().map(|(at, pair)| each(at, pair));
        conditions.collect::<Vec<_>>().join(" AND ")
    }
}

/// These columns of a row as an object of texts, as SQL; `alias` is the row.
#[must_use]
pub fn part_of_image(alias: &str, columns: &[&str]) -> String {
    let names = columns.iter().map(|name| literal(name));
    let values = columns.iter().map(|name| text_of(alias, name));
    let array = |elements: Vec<String>| format!("ARRAY[{}]::text[]", elements.join(", "));
    format!("jsonb_object({}, {})", array(names.collect()), array(values.collect()))
}

/// A value by its type's output function, as the stream has it; NULL is NULL.
pub(crate) fn text_of(alias: &str, column: &str) -> String {
    let column = format!("{alias}.{}", quoted(column));
    format!("CASE WHEN {column} IS DISTINCT FROM NULL THEN format('%s', {column}) END")
}

fn literal(name: &str) -> String {
    format!("'{}'", name.replace('\'', "''"))
}
