use bytes::Bytes;

use super::note;
use crate::error::Error;
use crate::server_error::ServerError;
use crate::wire::{Cursor, Frame};

/// What the results of one command may hold, in bytes: far above any command's here, far below the memory.
const RESULT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The rows of one statement, in text format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultSet {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows; `None` is SQL's NULL.
    pub rows: Vec<Vec<Option<Bytes>>>,
}

impl ResultSet {
    /// The rows as text.
    ///
    /// # Errors
    /// [`Error::Result`] when a value is not UTF-8.
    pub fn into_text(self) -> Result<Vec<Vec<Option<String>>>, Error> {
        let text = |value: Bytes| {
            let wrong = |_| Error::Result {
                command: "a query",
                expected: "values in UTF-8",
            };
            String::from_utf8(value.into()).map_err(wrong)
        };
        let row = |row: Vec<Option<Bytes>>| row.into_iter().map(|value| value.map(text).transpose()).collect();
        self.rows.into_iter().map(row).collect()
    }
}

/// What a message means for the command in progress.
#[derive(Debug)]
pub(crate) enum Step {
    /// The result goes on.
    More,
    /// The command failed; an invitation follows, unless the error is fatal.
    Failed(ServerError),
    /// The session is in copy-both mode: a stream starts.
    CopyBoth,
    /// The command is over.
    Ready,
}

/// Gathers a command's results from its messages.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    sets: Vec<ResultSet>,
    bytes: usize,
}

impl Collector {
    pub(crate) fn take(&mut self, frame: &Frame) -> Result<Step, Error> {
        match frame.tag {
            b'T' => {
                let columns = columns(&mut frame.cursor())?;
                self.sets.push(ResultSet {
                    columns,
                    rows: Vec::new(),
                });
            }
            b'D' => {
                self.bytes = self.bytes.saturating_add(frame.body.len());
                if self.bytes > RESULT_BYTES_MAX {
                    return Err(Error::TooLong {
                        tag: 'D',
                        bytes: self.bytes,
                        bytes_max: RESULT_BYTES_MAX,
                    });
                }
                let set = self.sets.last_mut().ok_or_else(|| frame.unexpected("read a result"))?;
                let row = row(frame)?;
                if row.len() != set.columns.len() {
                    return Err(frame.cursor().malformed("as many values as columns"));
                }
                set.rows.push(row);
            }
            // A command without rows also ends with C; an empty one with I; S reports a changed parameter.
            b'C' | b'I' | b'S' => {}
            b'N' => note(frame)?,
            b'E' => return Ok(Step::Failed(ServerError::read(&mut frame.cursor())?)),
            b'W' => return Ok(Step::CopyBoth),
            b'Z' => return Ok(Step::Ready),
            _ => return Err(frame.unexpected("read a result")),
        }
        Ok(Step::More)
    }

    pub(crate) fn finish(self) -> Vec<ResultSet> {
        self.sets
    }
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Error> {
    let count = cursor.u16("a number of columns")?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(String::from_utf8_lossy(cursor.cstr("a column's name")?).into_owned());
        // Table, attribute number, type, size, modifier, format: 4 + 2 + 4 + 2 + 4 + 2 bytes.
        cursor.take(18, "a column's description")?;
    }
    cursor.end()?;
    Ok(columns)
}

fn row(frame: &Frame) -> Result<Vec<Option<Bytes>>, Error> {
    let mut cursor = frame.cursor();
    let count = cursor.u16("a number of values")?;
    let mut values = Vec::new();
    for _ in 0..count {
        let length = cursor.i32("a value's length")?;
        if length == -1 {
            values.push(None);
            continue;
        }
        let length = usize::try_from(length).map_err(|_| cursor.malformed("a length of -1, 0 or more"))?;
        let start = cursor.offset();
        cursor.take(length, "a value of its announced length")?;
        values.push(Some(frame.body.slice(start..start + length)));
    }
    cursor.end()?;
    Ok(values)
}
