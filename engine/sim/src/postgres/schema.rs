//! The tables of the simulated databases, the same on every node.

use std::sync::Arc;

use synapse_engine_change::{Column, Identity, Relation};

/// A column's value; NULL is `None`. Its text form is the decimal number.
pub(crate) type Datum = Option<u64>;

/// A row: a value for each column.
pub(crate) type Row = Vec<Datum>;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    /// `id, a, b`: key and plain columns.
    Plain,
    /// `id, a, big`: `big` is TOASTed, so that an UPDATE that does not touch it does not carry it.
    Toast,
    /// `id, u, v, a`: `u` and `v` are unique too.
    Unique,
    /// `a, b`: no key; replica identity full.
    Keyless,
    /// `id, a, b, big, n`: replica identity full, `big` TOASTed; `n` is a number that applications add to.
    Full,
    /// `epoch, tab, code`: the conflict policies.
    Policies,
    /// `id, u, v, a, hlc, origin`: rows of [`Table::Unique`] that are displaced, and when they were last written.
    Displaced,
    /// `id, displaced, rival, hlc, origin`: rows of [`Table::Unique`] that stand in the way of displaced ones, and when
    /// they were last written.
    Rivals,
    /// `id, up, a`: `up` is a foreign key to another row of it, ON DELETE CASCADE; replica identity full.
    Tree,
    /// `id, ref, key, up, a, state, with`: rows of [`Table::Tree`] that went while others referred to them, as this node
    /// alone keeps them. See [`super::foreign_key`].
    Orphans,
}

impl Table {
    pub(crate) const ALL: [Table; 10] = [
        Table::Plain,
        Table::Toast,
        Table::Unique,
        Table::Keyless,
        Table::Full,
        Table::Policies,
        Table::Displaced,
        Table::Rivals,
        Table::Tree,
        Table::Orphans,
    ];
    /// The column of [`Table::Full`] that applications add to.
    pub(crate) const COUNTER: usize = 4;

    pub(crate) const fn index(self) -> usize {
        match self {
            Table::Plain => 0,
            Table::Toast => 1,
            Table::Unique => 2,
            Table::Keyless => 3,
            Table::Full => 4,
            Table::Policies => 5,
            Table::Displaced => 6,
            Table::Rivals => 7,
            Table::Tree => 8,
            Table::Orphans => 9,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Table::Plain => "plain",
            Table::Toast => "toast",
            Table::Unique => "uniq",
            Table::Keyless => "keyless",
            Table::Full => "full",
            Table::Policies => "policies",
            Table::Displaced => "displaced",
            Table::Rivals => "rivals",
            Table::Tree => "tree",
            Table::Orphans => "orphans",
        }
    }

    pub(crate) const fn columns(self) -> &'static [&'static str] {
        match self {
            Table::Plain => &["id", "a", "b"],
            Table::Toast => &["id", "a", "big"],
            Table::Unique => &["id", "u", "v", "a"],
            Table::Keyless => &["a", "b"],
            Table::Full => &["id", "a", "b", "big", "n"],
            Table::Policies => &["epoch", "tab", "code"],
            Table::Displaced => &["id", "u", "v", "a", "hlc", "origin"],
            Table::Rivals => &["id", "displaced", "rival", "hlc", "origin"],
            Table::Tree => &["id", "up", "a"],
            Table::Orphans => &["id", "ref", "key", "up", "a", "state", "with"],
        }
    }

    /// Whether its first column is its key.
    pub(crate) const fn keyed(self) -> bool {
        match self {
            Table::Plain
            | Table::Toast
            | Table::Unique
            | Table::Full
            | Table::Policies
            | Table::Displaced
            | Table::Rivals
            | Table::Tree
            | Table::Orphans => true,
            Table::Keyless => false,
        }
    }

    /// Columns with a unique index, the key first.
    pub(crate) const fn unique(self) -> &'static [usize] {
        match self {
            Table::Unique => &[0, 1, 2],
            Table::Keyless => &[],
            Table::Plain
            | Table::Toast
            | Table::Full
            | Table::Policies
            | Table::Displaced
            | Table::Rivals
            | Table::Tree
            | Table::Orphans => &[0],
        }
    }

    pub(crate) const fn toasted(self, column: usize) -> bool {
        match self {
            Table::Toast => column == 2,
            Table::Full => column == 3,
            Table::Plain
            | Table::Unique
            | Table::Keyless
            | Table::Policies
            | Table::Displaced
            | Table::Rivals
            | Table::Tree
            | Table::Orphans => false,
        }
    }

    /// Whether old rows are logged whole.
    pub(crate) const fn logs_old_rows(self) -> bool {
        match self {
            Table::Keyless | Table::Full | Table::Tree => true,
            Table::Plain
            | Table::Toast
            | Table::Unique
            | Table::Policies
            | Table::Displaced
            | Table::Rivals
            | Table::Orphans => false,
        }
    }

    /// Whether its changes are read and go to peers.
    pub(crate) const fn published(self) -> bool {
        !matches!(self, Table::Orphans)
    }

    pub(crate) fn named(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.name() == name)
    }

    pub(crate) fn relation(self) -> Arc<Relation> {
        let column = |(at, name): (usize, &&str)| Column {
            name: (*name).to_owned(),
            key: self.keyed() && at == 0,
            type_oid: 20,
        };
        Arc::new(Relation {
            schema: "public".to_owned(),
            name: self.name().to_owned(),
            identity: if self.logs_old_rows() {
                Identity::Full
            } else {
                Identity::Default
            },
            columns: self.columns().iter().enumerate().map(column).collect(),
        })
    }
}
