//! How conflicts over the rows of a table are decided, as a person writes it.

use std::fmt;
use std::str::FromStr;

use synapse_engine_identity::NodeId;

/// A table's conflict policy. Text form: words in any order, as in `merge counter(stock) update-wins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The link stops, and a person decides.
    Error,
    /// A function of the database makes one row of those in conflict.
    Custom {
        /// As SQL names it; schema-qualified.
        function: String,
        /// Deletes against other writes.
        deletes: Deletes,
    },
    /// A fixed order of writes.
    Order {
        /// Which write outranks which.
        order: Order,
        /// Whether an UPDATE says something of the columns only that it changed.
        merge: bool,
        /// Columns to which changes are added up, by name; sorted.
        counters: Vec<String>,
        /// Deletes against other writes.
        deletes: Deletes,
    },
}

/// Which of two writes that did not see each other outranks the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The later one.
    LastWriteWins,
    /// The earlier one.
    FirstWriteWins,
    /// That of the node named first; nodes that are not named come last; among writes of one rank the later one.
    Priority(Vec<NodeId>),
}

/// A delete against an update or insert that did not see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletes {
    /// The order decides.
    InOrder,
    /// The row is gone.
    Win,
    /// The row lives.
    Lose,
}

/// The text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid conflict policy {text:?}: {wrong}; expected last-write-wins, first-write-wins or priority(node,…), with merge, \
     counter(column,…), delete-wins or update-wins beside it; or custom(schema.function), with delete-wins or update-wins; \
     or error"
)]
pub struct InvalidPolicy {
    text: String,
    wrong: String,
}

impl Policy {
    /// Whether it needs the whole old row in the stream: `REPLICA IDENTITY FULL`.
    #[must_use]
    pub const fn needs_old_rows(&self) -> bool {
        match self {
            Policy::Error => false,
            Policy::Custom { .. } => true,
            Policy::Order { merge, counters, .. } => *merge || !counters.is_empty(),
        }
    }

    /// What becomes of a delete against another write.
    #[must_use]
    pub const fn deletes(&self) -> Deletes {
        match self {
            Policy::Error => Deletes::InOrder,
            Policy::Custom { deletes, .. } | Policy::Order { deletes, .. } => *deletes,
        }
    }

    /// The columns to which changes are added up.
    #[must_use]
    pub fn counters(&self) -> &[String] {
        match self {
            Policy::Error | Policy::Custom { .. } => &[],
            Policy::Order { counters, .. } => counters,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Policy::Order {
            order: Order::LastWriteWins,
            merge: false,
            counters: Vec::new(),
            deletes: Deletes::InOrder,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deletes = match self.deletes() {
            Deletes::InOrder => "",
            Deletes::Win => " delete-wins",
            Deletes::Lose => " update-wins",
        };
        match self {
            Policy::Error => f.write_str("error"),
            Policy::Custom { function, .. } => write!(f, "custom({function}){deletes}"),
            Policy::Order {
                order, merge, counters, ..
            } => {
                match order {
                    Order::LastWriteWins => f.write_str("last-write-wins")?,
                    Order::FirstWriteWins => f.write_str("first-write-wins")?,
                    Order::Priority(nodes) => {
                        let nodes: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
                        write!(f, "priority({})", nodes.join(","))?;
                    }
                }
                if *merge {
                    f.write_str(" merge")?;
                }
                if !counters.is_empty() {
                    write!(f, " counter({})", counters.join(","))?;
                }
                f.write_str(deletes)
            }
        }
    }
}

/// What has been read of a policy's text.
#[derive(Default)]
struct Words {
    order: Option<Order>,
    merge: bool,
    counters: Vec<String>,
    deletes: Option<Deletes>,
    function: Option<String>,
    error: bool,
}

impl FromStr for Policy {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |wrong: String| InvalidPolicy {
            text: text.chars().take(200).collect(),
            wrong,
        };
        let mut words = Words::default();
        let mut rest = text.trim_start();
        if rest.is_empty() {
            return Err(wrong("it is empty".to_owned()));
        }
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let (given, after) = arguments(after).map_err(wrong)?;
            words.take(name, given).map_err(wrong)?;
            rest = after.trim_start();
        }
        words.policy().map_err(wrong)
    }
}

/// The arguments in parentheses that `text` begins with, if it does, and what follows them.
fn arguments(text: &str) -> Result<(Option<Vec<&str>>, &str), String> {
    let Some(inside) = text.trim_start().strip_prefix('(') else {
        return Ok((None, text));
    };
    let Some((inside, after)) = inside.split_once(')') else {
        return Err("a closing parenthesis is missing".to_owned());
    };
    let given: Vec<&str> = inside.split(',').map(str::trim).collect();
    if given.iter().any(|argument| argument.is_empty()) {
        return Err(format!("({inside}) names nothing between two commas"));
    }
    Ok((Some(given), after))
}

/// Whether it is a schema and a name that need no quotes.
fn is_qualified(function: &str) -> bool {
    let plain = |name: &str| {
        let rest = name.strip_prefix(|c: char| c.is_ascii_lowercase() || c == '_');
        rest.is_some_and(|rest| {
            rest.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        })
    };
    function
        .split_once('.')
        .is_some_and(|(schema, name)| plain(schema) && plain(name))
}

impl Words {
    fn take(&mut self, name: &str, given: Option<Vec<&str>>) -> Result<(), String> {
        let order = |this: &mut Self, order| match this.order.replace(order) {
            None => Ok(()),
            Some(_) => Err("it names two orders".to_owned()),
        };
        let deletes = |this: &mut Self, deletes| match this.deletes.replace(deletes) {
            None => Ok(()),
            Some(_) => Err("it says twice what becomes of deletes".to_owned()),
        };
        match (name, given) {
            ("last-write-wins", None) => order(self, Order::LastWriteWins),
            ("first-write-wins", None) => order(self, Order::FirstWriteWins),
            ("priority", Some(names)) => {
                let nodes: Result<Vec<NodeId>, _> = names.iter().map(|name| name.parse()).collect();
                let nodes = nodes.map_err(|error| error.to_string())?;
                match nodes.iter().enumerate().find(|(at, node)| nodes[..*at].contains(node)) {
                    Some((_, twice)) => Err(format!("it names {twice} twice")),
                    None => order(self, Order::Priority(nodes)),
                }
            }
            ("merge", None) if !self.merge => {
                self.merge = true;
                Ok(())
            }
            ("counter", Some(columns)) if self.counters.is_empty() => {
                self.counters = columns.into_iter().map(str::to_owned).collect();
                self.counters.sort_unstable();
                self.counters.dedup();
                Ok(())
            }
            ("delete-wins", None) => deletes(self, Deletes::Win),
            ("update-wins", None) => deletes(self, Deletes::Lose),
            ("custom", Some(function)) if self.function.is_none() && function.len() == 1 => {
                let name = function.first().copied().unwrap_or_default();
                self.function = is_qualified(name).then(|| name.to_owned());
                match self.function {
                    Some(_) => Ok(()),
                    None => Err(format!("{name:?} is no schema.function in lower case")),
                }
            }
            ("error", None) => {
                self.error = true;
                Ok(())
            }
            ("priority" | "counter" | "custom", None) => Err(format!("{name} wants names in parentheses")),
            (_, _) => Err(format!("{name:?} does not belong there")),
        }
    }

    fn policy(self) -> Result<Policy, String> {
        let deletes = self.deletes.unwrap_or(Deletes::InOrder);
        let ordered = self.order.is_some() || self.merge || !self.counters.is_empty();
        match (self.error, self.function) {
            (true, None) if !ordered && self.deletes.is_none() => Ok(Policy::Error),
            (true, _) => Err("error stands alone".to_owned()),
            (false, Some(function)) if !ordered => Ok(Policy::Custom { function, deletes }),
            (false, Some(_)) => Err("custom goes with delete-wins or update-wins only".to_owned()),
            (false, None) => Ok(Policy::Order {
                order: self.order.unwrap_or(Order::LastWriteWins),
                merge: self.merge,
                counters: self.counters,
                deletes,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
