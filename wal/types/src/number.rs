use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A transaction identifier as it stands in a tuple header: 32 bits that wrap around. Two of them are compared by
    /// age on the server, never as integers here.
    Xid(u32)
}
number! {
    /// The identity of an object in one database's catalogue. It means nothing on another server.
    Oid(u32)
}
number! {
    /// A timeline: it grows by one at each promotion and each point-in-time recovery.
    TimelineId(u32)
}
number! {
    /// `IDENTIFY_SYSTEM`'s system identifier: made by initdb, shared by a server and its physical copies.
    SystemId(u64)
}
