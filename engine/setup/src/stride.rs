//! Disjoint sequences. `sql/sequence.sql` holds the twin of this function, because the event trigger needs it too.

use crate::Share;

/// What a sequence is, as `pg_sequence` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// INCREMENT BY; never zero.
    pub increment: i64,
    /// START WITH: where TRUNCATE … RESTART IDENTITY goes back to.
    pub start: i64,
    /// MINVALUE.
    pub min: i64,
    /// MAXVALUE.
    pub max: i64,
    /// CYCLE.
    pub cycle: bool,
}

/// Where a sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// `last_value`.
    pub last: i64,
    /// `is_called`: whether `last` itself has been handed out.
    pub called: bool,
}

/// What a node makes of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stride {
    /// The new definition.
    pub definition: Definition,
    /// What comes next.
    pub next: Next,
}

/// What a sequence hands out next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// This value.
    Value(i64),
    /// Nothing: none of this node's values is left. `last_value` stays, marked as called.
    Exhausted,
}

/// Why a sequence stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// The new increment does not fit a bigint.
    #[error("its increment, times the number of nodes, does not fit a bigint")]
    TooWide,
    /// It cycles, and this node has no value between its bounds.
    #[error("it cycles through fewer values than there may be nodes")]
    TooNarrow,
}

impl Stride {
    /// How many values this node can still draw before the end, or before the sequence cycles.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let Next::Value(next) = self.next else {
            return 0;
        };
        let definition = self.definition;
        let end = if definition.increment > 0 {
            definition.max
        } else {
            definition.min
        };
        end.abs_diff(next) / definition.increment.unsigned_abs() + 1
    }
}

/// The same sequence for one of several nodes: its values are those congruent to `start + ordinal * increment` modulo
/// `nodes * increment`, beyond `position`. A node's own values, applied again, are a fixed point once the original
/// `definition` is given.
///
/// # Errors
/// When the sequence cannot be shared and stays as it is.
pub fn stride(definition: Definition, position: Position, share: Share) -> std::result::Result<Stride, Impossible> {
    // A descending sequence is computed as its mirror image; i128 holds every intermediate.
    let sign = i128::from(definition.increment.signum());
    let unit = i128::from(definition.increment).abs();
    let step = unit * i128::from(share.nodes());
    let (min, max) = if sign > 0 {
        (i128::from(definition.min), i128::from(definition.max))
    } else {
        (-i128::from(definition.max), -i128::from(definition.min))
    };
    let start = sign * i128::from(definition.start);
    let offset = start + unit * i128::from(share.ordinal());
    let at_or_above = |value: i128| value + (offset - value).rem_euclid(step);
    let at_or_below = |value: i128| value - (value - offset).rem_euclid(step);

    let increment = i64::try_from(step).map_err(|_| Impossible::TooWide)?;
    let low = at_or_above(min);
    if definition.cycle && low > max {
        return Err(Impossible::TooNarrow);
    }
    let own_start = if offset <= max {
        offset
    } else if low <= max {
        at_or_below(max)
    } else {
        start
    };
    let next = at_or_above(sign * i128::from(position.last) + i128::from(position.called));
    let next = match next {
        next if next <= max => Next::Value(narrow(sign * next)),
        _ if definition.cycle => Next::Value(narrow(sign * low)),
        _ => Next::Exhausted,
    };
    let (own_min, own_max) = match (definition.cycle, sign > 0) {
        (false, _) => (definition.min, definition.max),
        (true, true) => (narrow(low), definition.max),
        (true, false) => (definition.min, narrow(-low)),
    };
    let increment = if sign > 0 { increment } else { -increment };
    let definition = Definition {
        increment,
        start: narrow(sign * own_start),
        min: own_min,
        max: own_max,
        cycle: definition.cycle,
    };
    Ok(Stride { definition, next })
}

fn narrow(value: i128) -> i64 {
    i64::try_from(value).expect("a value between MINVALUE and MAXVALUE fits a bigint")
}

#[cfg(test)]
mod tests;
