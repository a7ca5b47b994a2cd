//! What happens to files as a whole: relations that are created and cut, databases that are copied and dropped
//! (`catalog/storage_xlog.h`, `commands/dbcommands_xlog.h`). Files that are deleted stand in [`transaction`](crate::transaction).

use synapse_wal_types::Oid;

use crate::cursor::Cursor;
use crate::{BlockNumber, Error, Fault, Fork, List, Record, RelFileLocator, Rmgr, Version};

/// Bytes of an object id.
const OID_BYTES: usize = 4;

const TRUNCATES_MAIN: i32 = 0x0001;
const TRUNCATES_VISIBILITY_MAP: i32 = 0x0002;
const TRUNCATES_FREE_SPACE_MAP: i32 = 0x0004;

/// A record of [`Rmgr::STORAGE`] or [`Rmgr::DATABASE`].
#[derive(Clone, Copy, Debug)]
pub enum Storage<'a> {
    /// A fork comes into being.
    Created {
        /// Whose.
        relation: RelFileLocator,
        /// Which one.
        fork: Fork,
    },
    /// A relation is cut.
    Truncated(Truncation),
    /// All files of a database in a tablespace were copied, without further notice in the WAL.
    DatabaseCopied {
        /// The new one.
        database: DatabaseFiles,
        /// What it was copied from.
        from: DatabaseFiles,
    },
    /// A database's files in a tablespace come into being; their contents follow. From version 15 on.
    DatabaseCreated(DatabaseFiles),
    /// A database is gone from these tablespaces.
    DatabaseDropped {
        /// Which one.
        database: Oid,
        /// From where.
        tablespaces: List<'a, Oid>,
    },
}

/// The files of a database in one tablespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseFiles {
    /// The database.
    pub database: Oid,
    /// The tablespace.
    pub tablespace: Oid,
}

/// How a relation is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// Which relation.
    pub relation: RelFileLocator,
    /// How many blocks its main fork has from now on; the other forks are cut to what those need.
    pub blocks: BlockNumber,
    /// Whether the main fork is cut.
    pub of_main: bool,
    /// Whether the visibility map is.
    pub of_visibility_map: bool,
    /// Whether the free space map is.
    pub of_free_space_map: bool,
}

impl<'a> Storage<'a> {
    /// Reads a record; `None` when it is of another resource manager. Fails when the contents are not of the form that its
    /// version has, or when it is of a kind that the version does not have.
    pub fn read(record: &Record<'a>) -> Result<Option<Storage<'a>>, Error> {
        let storage = match record.rmgr() {
            Rmgr::STORAGE => relation(record),
            Rmgr::DATABASE => database(record),
            _ => return Ok(None),
        };
        storage.map(Some).map_err(|fault| record.error(fault))
    }
}

fn relation<'a>(record: &Record<'a>) -> Result<Storage<'a>, Fault> {
    match record.kind().operation() {
        0x10 => {
            let mut cursor = Cursor::new("creation of a file", record.main_data());
            let (relation, number) = (cursor.locator()?, cursor.u32()?);
            let fork = Fork::from_number(number).ok_or_else(|| cursor.field(4, "a fork from 0 to 3", number))?;
            Ok(Storage::Created { relation, fork })
        }
        0x20 => {
            let mut cursor = Cursor::new("truncation of a file", record.main_data());
            let (blocks, relation, forks) = (BlockNumber(cursor.u32()?), cursor.locator()?, cursor.i32()?);
            let of = |fork: i32| forks & fork != 0;
            Ok(Storage::Truncated(Truncation {
                relation,
                blocks,
                of_main: of(TRUNCATES_MAIN),
                of_visibility_map: of(TRUNCATES_VISIBILITY_MAP),
                of_free_space_map: of(TRUNCATES_FREE_SPACE_MAP),
            }))
        }
        other => Err(Cursor::new("change of a file", &[]).field(0, "an operation 0x10 or 0x20", other)),
    }
}

fn database<'a>(record: &Record<'a>) -> Result<Storage<'a>, Fault> {
    let files = |cursor: &mut Cursor<'a>| -> Result<DatabaseFiles, Fault> {
        Ok(DatabaseFiles {
            database: cursor.oid()?,
            tablespace: cursor.oid()?,
        })
    };
    let dropped = match record.version {
        Version::V14 => 0x10,
        Version::V15 | Version::V16 | Version::V17 | Version::V18 => 0x20,
    };
    match record.kind().operation() {
        0x00 => {
            let mut cursor = Cursor::new("copy of a database", record.main_data());
            Ok(Storage::DatabaseCopied {
                database: files(&mut cursor)?,
                from: files(&mut cursor)?,
            })
        }
        operation if operation == dropped => {
            let mut cursor = Cursor::new("drop of a database", record.main_data());
            let (database, count) = (cursor.oid()?, cursor.count()?);
            let tablespaces = List::take(&mut cursor, count, OID_BYTES)?;
            Ok(Storage::DatabaseDropped { database, tablespaces })
        }
        0x10 => Ok(Storage::DatabaseCreated(files(&mut Cursor::new(
            "creation of a database",
            record.main_data(),
        ))?)),
        other => Err(Cursor::new("change of a database", &[]).field(0, "an operation that this version has", other)),
    }
}
