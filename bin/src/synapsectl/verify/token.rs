//! Where a run that was cut off goes on.

use std::fmt;
use std::str::FromStr;

/// What was found before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SoFar {
    Equal,
    Differ,
}

/// The last table that was done, and what was found up to there: `public.t/equal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) after: String,
    pub(super) so_far: SoFar,
}

impl SoFar {
    /// What the run before this one had found.
    pub(super) fn of(resume: Option<&Token>) -> SoFar {
        resume.map_or(SoFar::Equal, |token| token.so_far)
    }
}

impl Token {
    /// Where to go on after a run that did `last` as its last table, or none, and began itself where `resume` says.
    pub(super) fn after(last: Option<String>, equal: bool, resume: Option<Token>) -> Option<Token> {
        let before = SoFar::of(resume.as_ref());
        let so_far = match (before, equal) {
            (SoFar::Equal, true) => SoFar::Equal,
            (SoFar::Differ, _) | (SoFar::Equal, false) => SoFar::Differ,
        };
        last.map(|after| Token { after, so_far }).or(resume)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let so_far = match self.so_far {
            SoFar::Equal => "equal",
            SoFar::Differ => "differ",
        };
        write!(f, "{}/{so_far}", self.after)
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (after, so_far) = match text.rsplit_once('/') {
            Some((after, "equal")) => (after, SoFar::Equal),
            Some((after, "differ")) => (after, SoFar::Differ),
            Some(_) | None => return Err("expected a table and what was found, like public.t/equal".to_owned()),
        };
        Ok(Token {
            after: after.to_owned(),
            so_far,
        })
    }
}

#[cfg(test)]
mod tests;
