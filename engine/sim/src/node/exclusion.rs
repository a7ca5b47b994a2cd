//! Rows that exclude each other: found, locked, and then those that stand are written, and the others displaced.

use synapse_engine_identity::{Hlc, Origin, RowId};
use synapse_engine_plan::{Error, Loser, Neighbour, Neighbours, Settled, Tables, Undecided};
use synapse_engine_replication::{Contention, LastWrite};

use super::job::{Job, Piece};
use super::steps::{delete, insert, update};
use crate::catalog::row_id;
use crate::postgres::{Commit, Effect, Item, OnConflict, Row, Statement, Table, Target};
use crate::violation::Law;
use crate::world::World;

/// The only table whose rows exclude each other.
const TABLE: Table = Table::Unique;
/// Its unique columns beside the key.
const UNIQUE: [usize; 2] = [1, 2];
/// Its columns.
const WIDTH: usize = 4;

/// The rows that are to be written, and those that they exclude.
pub(crate) type Search = Neighbours<Row>;

/// Whether two rows cannot both stand.
pub(crate) fn exclude(a: &Row, b: &Row) -> bool {
    UNIQUE.iter().any(|at| a[*at].is_some() && a[*at] == b[*at])
}

/// A row that is locked is to be this.
pub(super) fn intend(search: &mut Search, job: &Job, row: RowId, image: Option<Row>) {
    let displaced = job.displaced.get(&row);
    let neighbour = Neighbour {
        stands: job.present.get(&row).cloned(),
        displaced: displaced.map(|row| (image_of(row), last_write(row, WIDTH))),
        image,
    };
    search.intend(row, neighbour);
}

impl World {
    /// Looks for the neighbours of rows that are to be written. Answers whether it has anything to do.
    pub(super) fn search(&mut self, node: usize) -> bool {
        let Some(mut job) = self.daemon(node).and_then(|daemon| daemon.job.take()) else {
            return false;
        };
        let goes_on = match job.search.as_mut().map(Search::ask) {
            None => job.settled(),
            Some(open) if open.is_empty() => {
                let search = job.search.take().expect("it is there");
                if let Some(undecided) = self.settle(node, &mut job, search) {
                    if let Some(daemon) = self.daemon(node) {
                        daemon.job = Some(job);
                        daemon.merge_max = 1;
                    }
                    self.roll_back(node);
                    self.ask_a_person(node, &undecided);
                    return true;
                }
                !job.script.is_empty()
            }
            Some(open) => {
                for (row, image) in open {
                    let finds = finds(job.key(row), image);
                    job.script.extend(finds.map(Piece::plain));
                }
                true
            }
        };
        if let Some(daemon) = self.daemon(node) {
            daemon.job = Some(job);
        }
        goes_on
    }

    /// All neighbours are known: they are locked first, or it is decided who stands, or a person is to be asked.
    fn settle(&mut self, node: usize, job: &mut Job, mut search: Search) -> Option<Box<Undecided>> {
        let rows: Vec<RowId> = search.rows().collect();
        if search.reaches_further() {
            self.report.add("neighbours", rows.len());
            job.again.extend(rows);
            return None;
        }
        for (a, b) in rows
            .iter()
            .flat_map(|a| rows.iter().map(move |b| (*a, *b)))
            .filter(|(a, b)| a != b)
        {
            let (Some(one), Some(other)) = (search.get(a), search.get(b)) else {
                continue;
            };
            let excludes = |theirs: &Option<Row>| {
                one.image
                    .as_ref()
                    .zip(theirs.as_ref())
                    .is_some_and(|(a, b)| exclude(a, b))
            };
            let (both, taken) = (excludes(&other.image), excludes(&other.stands));
            if both {
                search.exclude(a, b);
            }
            if taken {
                search.take(b);
            }
        }
        let daemon = self.nodes[node].daemon.as_mut()?;
        let described = self.catalog.find(self.relations.of(TABLE)).expect("it is there");
        let settled = match search.settle(&mut daemon.kernel, &described) {
            Ok(settled) => settled,
            Err(Error::Undecided(undecided)) => return Some(undecided),
            Err(error) => {
                self.violate(Law::NoError, format!("plan: {error}"));
                return None;
            }
        };
        if settled.contended {
            daemon.kernel.contend(row_id(TABLE, 0).table);
        }
        self.report.add("displaced", settled.displaced.len());
        job.settling = rows;
        job.script.push_back(Piece::plain(Statement::Savepoint));
        let number = |origin| self.index_of(origin) as u64 + 1;
        write(job, settled, number);
        None
    }

    /// A statement of the search has been answered.
    pub(super) fn found_neighbours(job: &mut Job, statement: &Statement, rows: &[Row]) {
        let Statement::Find { table, .. } = statement else {
            return;
        };
        let Some(mut search) = job.search.take() else { return };
        for row in rows {
            let number = |at: usize| row[at].expect("keys are not null");
            match table {
                Table::Rivals => {
                    let [row_of, rival] = [1, 2].map(|at| job.know(number(at)));
                    search.in_the_way(row_of, rival, last_write(row, 3));
                }
                Table::Displaced => {
                    let neighbour = Neighbour {
                        stands: None,
                        displaced: Some((image_of(row), last_write(row, WIDTH))),
                        image: Some(image_of(row)),
                    };
                    search.found(job.know(number(0)), neighbour);
                }
                Table::Plain
                | Table::Toast
                | Table::Unique
                | Table::Keyless
                | Table::Full
                | Table::Policies
                | Table::Tree
                | Table::Orphans => {
                    let neighbour = Neighbour {
                        stands: Some(row.clone()),
                        displaced: None,
                        image: Some(row.clone()),
                    };
                    search.found(job.know(number(0)), neighbour);
                }
            }
        }
        job.search = Some(search);
    }

    /// What a transaction changed in what is displaced.
    pub(crate) fn contentions(commit: &Commit) -> Vec<Contention> {
        let changes = commit.items.iter().filter_map(|item| match item {
            Item::Change { table, effect, .. } => contention(*table, effect),
            Item::Message { .. } => None,
        });
        changes.collect()
    }

    /// What stands in the server's tables of what is displaced.
    pub(crate) fn all_contentions(&self, node: usize) -> Vec<Contention> {
        let of = |table: Table| {
            let rows = self.nodes[node].server.rows(table).into_iter();
            rows.filter_map(move |new| contention(table, &Effect::Insert { new }))
        };
        of(Table::Displaced).chain(of(Table::Rivals)).collect()
    }

    /// Rows that are displaced: a TRUNCATE may end that.
    pub(super) fn displaced_rows(&self, node: usize, job: &mut Job) -> Vec<RowId> {
        let rows = self.nodes[node].server.rows(Table::Displaced);
        rows.iter().filter_map(|row| row[0]).map(|key| job.know(key)).collect()
    }
}

impl Job {
    /// A row of the table by its key.
    fn know(&mut self, key: u64) -> RowId {
        let row = row_id(TABLE, key);
        if !self.rows.contains_key(&row) {
            self.keep_key(row, WIDTH, key);
        }
        row
    }

    /// Rows that exclude each other are written, and a row that was to come in met one that nobody had seen: all is taken
    /// back, and looked at once more. Answers whether there is anything to do.
    fn settled(&mut self) -> bool {
        let settled = std::mem::take(&mut self.settling);
        let met = self.again.iter().any(|row| settled.contains(row));
        if met {
            self.again.extend(settled);
            self.script.push_back(Piece::plain(Statement::RollbackToSavepoint));
        }
        met
    }
}

/// What finds the neighbours of a row.
fn finds(key: u64, image: Option<Row>) -> [Statement; 3] {
    let values = image.into_iter().flatten().enumerate();
    let values = values.filter(|(at, _)| UNIQUE.contains(at));
    let values: Vec<(usize, u64)> = values.filter_map(|(at, value)| Some((at, value?))).collect();
    let find = |table, values| Statement::Find { table, values };
    [
        find(TABLE, values.clone()),
        find(Table::Displaced, values),
        find(Table::Rivals, vec![(1, key), (2, key)]),
    ]
}

/// What goes goes first: then no row meets another that excludes it.
fn write(job: &mut Job, settled: Settled<Row>, number: impl Fn(Origin) -> u64) {
    let time = |last: &LastWrite| [Some(last.hlc.0), Some(number(last.origin))];
    let mut script = Vec::new();
    for row in settled.gone {
        script.push(Piece::plain(delete(TABLE, vec![job.key(row)], None)));
    }
    for (row, _, image) in settled.updated {
        let set = (1..WIDTH).map(|at| (at, image[at])).collect();
        script.push(Piece::plain(update(TABLE, vec![Target::new(job.key(row), set)], None)));
    }
    for (row, image) in settled.inserted {
        script.push(Piece {
            statement: insert(TABLE, vec![image], OnConflict::Nothing),
            rows: vec![(job.key(row), vec![row])],
        });
    }
    let mut replace = |table: Table, key: u64, is: Option<Row>| {
        script.push(Piece::plain(delete(table, vec![key], None)));
        script.extend(is.map(|row| Piece::plain(insert(table, vec![row], OnConflict::Fail))));
    };
    for row in settled.back {
        replace(Table::Displaced, job.key(row), None);
    }
    for Loser { row, image, last, .. } in settled.displaced {
        replace(
            Table::Displaced,
            job.key(row),
            Some(image.into_iter().chain(time(&last)).collect()),
        );
    }
    let pair = |row: RowId, rival: RowId| (job.key(row) * 1_000_000 + job.key(rival), job.key(row), job.key(rival));
    for (row, rival) in settled.freed {
        replace(Table::Rivals, pair(row, rival).0, None);
    }
    for (row, rival, last) in settled.ways {
        let (key, row, rival) = pair(row, rival);
        let is = [key, row, rival].map(Some).into_iter().chain(time(&last)).collect();
        replace(Table::Rivals, key, Some(is));
    }
    job.script.extend(script);
}

fn image_of(displaced: &Row) -> Row {
    displaced[..WIDTH].to_vec()
}

/// The time that a row of the two tables records.
fn last_write(row: &Row, at: usize) -> LastWrite {
    let number = |at: usize| row[at].expect("times are not null");
    let node = format!("n{}", number(at + 1)).parse().expect("a letter and a digit");
    LastWrite {
        hlc: Hlc(number(at)),
        origin: Origin {
            node,
            incarnation: synapse_engine_identity::Incarnation(1),
        },
    }
}

fn contention(table: Table, effect: &Effect) -> Option<Contention> {
    let (row, is) = match effect {
        Effect::Insert { new } => (new, true),
        Effect::Delete { old } => (old, false),
        Effect::Update { .. } | Effect::Truncate => return None,
    };
    let id = |at: usize| row_id(TABLE, row[at].expect("keys are not null"));
    match table {
        Table::Displaced => Some(Contention::Displaced { row: id(0), is }),
        Table::Rivals => Some(Contention::Rival {
            row: id(1),
            rival: id(2),
            is,
        }),
        Table::Plain
        | Table::Toast
        | Table::Unique
        | Table::Keyless
        | Table::Full
        | Table::Policies
        | Table::Tree
        | Table::Orphans => None,
    }
}
