use std::fmt;
use std::marker::PhantomData;

use synapse_wal_types::{Oid, Xid};

use crate::cursor::Cursor;
use crate::{Fault, RelFileLocator};

/// Items of one size that a record holds one behind the other, borrowed from it and read as they are asked for.
pub struct List<'a, T> {
    bytes: &'a [u8],
    item_bytes: usize,
    item: PhantomData<fn() -> T>,
}

/// What a [`List`] is made of.
pub trait Item: Sized + private::Read {}

pub(crate) mod private {
    use super::{Cursor, Fault};

    pub trait Read: Sized {
        #[expect(private_interfaces, reason = "the trait cannot be named outside of this crate")]
        fn read(cursor: &mut Cursor<'_>) -> Result<Self, Fault>;
    }
}

impl<'a, T: Item> List<'a, T> {
    /// Takes `count` items of `item_bytes` each, which `T` can be read from.
    pub(crate) fn take(cursor: &mut Cursor<'a>, count: usize, item_bytes: usize) -> Result<List<'a, T>, Fault> {
        Ok(List {
            bytes: cursor.take(count.saturating_mul(item_bytes))?,
            item_bytes,
            item: PhantomData,
        })
    }

    /// No items, of this size.
    pub(crate) fn none(item_bytes: usize) -> List<'a, T> {
        List {
            bytes: &[],
            item_bytes,
            item: PhantomData,
        }
    }

    /// How many items it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.item_bytes
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The items, in their order.
    #[must_use]
    pub fn iter(&self) -> Items<'a, T> {
        Items(*self)
    }
}

/// Walks a [`List`].
#[derive(Debug)]
pub struct Items<'a, T: Item>(List<'a, T>);

impl<T: Item> Iterator for Items<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let (item, rest) = self.0.bytes.split_at_checked(self.0.item_bytes)?;
        self.0.bytes = rest;
        Some(T::read(&mut Cursor::new("item", item)).expect("List::take is told the size of what it holds"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl<T: Item> ExactSizeIterator for Items<'_, T> {}

impl<'a, T: Item> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = Items<'a, T>;

    fn into_iter(self) -> Items<'a, T> {
        self.iter()
    }
}

// Derived, these would ask the same of `T`.
impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<T: Item + fmt::Debug> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

macro_rules! item {
    ($type:ty, $read:ident) => {
        impl Item for $type {}
        #[expect(
            private_interfaces,
            reason = "the trait cannot be named outside of this crate"
        )]
        impl private::Read for $type {
            fn read(cursor: &mut Cursor<'_>) -> Result<Self, Fault> {
                cursor.$read()
            }
        }
    };
}

item!(Xid, xid);
item!(Oid, oid);
item!(RelFileLocator, locator);
