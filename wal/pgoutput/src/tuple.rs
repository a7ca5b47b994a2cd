use crate::Error;
use crate::cursor::Cursor;
use crate::sink::Sink;

/// One column of a tuple, borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// SQL NULL; in an old key also every column outside the key.
    Null,
    /// A large value stored out of line that the UPDATE did not touch, and so is not sent.
    UnchangedToast,
    /// The type's output function, in the client encoding.
    Text(&'a [u8]),
    /// The type's send function.
    Binary(&'a [u8]),
}

impl<'a> Value<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let form = cursor.one_of("column n, u, t or b", |byte| {
            matches!(byte, b'n' | b'u' | b't' | b'b').then_some(byte)
        })?;
        Ok(match form {
            b'n' => Value::Null,
            b'u' => Value::UnchangedToast,
            b't' => Value::Text(cursor.counted()?),
            _ => Value::Binary(cursor.counted()?),
        })
    }

    fn write(self, sink: &mut Sink<'_>) -> Result<(), Error> {
        match self {
            Value::Null => sink.u8(b'n'),
            Value::UnchangedToast => sink.u8(b'u'),
            Value::Text(bytes) => {
                sink.u8(b't');
                sink.counted(bytes)?;
            }
            Value::Binary(bytes) => {
                sink.u8(b'b');
                sink.counted(bytes)?;
            }
        }
        Ok(())
    }
}

/// The columns of a row, in the order of the table's definition (`logicalrep_write_tuple`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TupleData<'a> {
    /// At most 65535; PostgreSQL's tables have at most 1600.
    pub values: Vec<Value<'a>>,
}

impl<'a> TupleData<'a> {
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let count = usize::from(cursor.u16()?);
        // A column takes at least one byte, so a lying count cannot reserve more than the message could fill.
        let mut values = Vec::with_capacity(count.min(cursor.left()));
        for _ in 0..count {
            values.push(Value::read(cursor)?);
        }
        Ok(TupleData { values })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.column_count(self.values.len())?;
        self.values.iter().try_for_each(|value| value.write(sink))
    }
}

/// What is sent of the row before an UPDATE or DELETE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OldTuple<'a> {
    /// The key alone (`K`); all other columns are null. On UPDATE only if the key changed, or holds a value stored out
    /// of line.
    Key(TupleData<'a>),
    /// The whole row (`O`), under `REPLICA IDENTITY FULL`.
    Full(TupleData<'a>),
}

impl<'a> OldTuple<'a> {
    /// The columns, whatever they stand for.
    #[must_use]
    pub fn tuple(&self) -> &TupleData<'a> {
        match self {
            OldTuple::Key(tuple) | OldTuple::Full(tuple) => tuple,
        }
    }

    /// Makes the old tuple that this byte announces.
    pub(crate) fn of_byte(byte: u8) -> Option<fn(TupleData<'a>) -> Self> {
        match byte {
            b'K' => Some(OldTuple::Key),
            b'O' => Some(OldTuple::Full),
            _ => None,
        }
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.u8(match self {
            OldTuple::Key(_) => b'K',
            OldTuple::Full(_) => b'O',
        });
        self.tuple().write(sink)
    }
}
