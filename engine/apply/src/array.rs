//! Parameters as the server reads them: a `text[]` of a column's borrowed values, a single `text`, a time.

use std::error::Error as StdError;
use std::fmt;

use bytes::{BufMut, BytesMut};
use postgres_types::{IsNull, ToSql, Type, to_sql_checked};
use synapse_wal_types::PgTimestamp;

/// A column of a few thousand rows as `text[]` in the binary array format (`array_recv` in `arrayfuncs.c`). The bytes are
/// neither checked nor escaped here; the server reads them in the session's client encoding.
pub(crate) struct TextArray<'a>(pub(crate) Vec<Option<&'a [u8]>>);

/// One value as `text`.
pub(crate) struct Text<'a>(pub(crate) Option<&'a [u8]>);

/// A `timestamptz`, to the microsecond.
#[derive(Debug)]
pub(crate) struct Time(pub(crate) PgTimestamp);

/// Values never reach a log: `tokio-postgres` logs parameters at level debug.
impl fmt::Debug for TextArray<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text[{}]", self.0.len())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }
}

impl ToSql for TextArray<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let bytes: usize = self.0.iter().map(|v| 4 + v.map_or(0, <[u8]>::len)).sum();
        out.reserve(20 + bytes);
        out.put_i32(1);
        out.put_i32(i32::from(self.0.iter().any(Option::is_none)));
        out.put_u32(Type::TEXT.oid());
        out.put_i32(i32::try_from(self.0.len())?);
        out.put_i32(1);
        for value in &self.0 {
            match value {
                None => out.put_i32(-1),
                Some(value) => {
                    out.put_i32(i32::try_from(value.len())?);
                    out.put_slice(value);
                }
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TEXT_ARRAY
    }

    to_sql_checked!();
}

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        Ok(match self.0 {
            None => IsNull::Yes,
            Some(value) => {
                out.put_slice(value);
                IsNull::No
            }
        })
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TEXT
    }

    to_sql_checked!();
}

impl ToSql for Time {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.put_i64(self.0.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests;
