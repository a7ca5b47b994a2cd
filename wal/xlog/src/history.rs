use std::fmt;

use synapse_wal_types::{Lsn, TimelineId};

/// A timeline and where it and its ancestors branched off: the contents of a `.history` file
/// (`access/transam/timeline.c`).
///
/// Law: the timelines of `ancestors` grow, and the timeline itself is greater than all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimelineHistory {
    timeline: TimelineId,
    ancestors: Vec<Branch>,
}

/// One line of a history file: an ancestor and where it was left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Branch {
    /// The timeline that was left.
    pub timeline: TimelineId,
    /// The position of the first byte that is no longer that timeline's.
    pub end: Lsn,
    /// Why, for people: `no recovery target specified`, `before transaction …`. May be empty.
    pub reason: String,
}

/// Why a text is no history of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each text names its fields; lines count from 1")]
pub enum InvalidHistory {
    /// No number at the start of a line.
    #[error("history of timeline {timeline}, line {line}: expected a timeline id, found {found:?}")]
    Timeline {
        timeline: TimelineId,
        line: usize,
        found: String,
    },
    /// No position behind the timeline.
    #[error("history of timeline {timeline}, line {line}: expected a position like 0/3000000, found {found:?}")]
    Position {
        timeline: TimelineId,
        line: usize,
        found: String,
    },
    /// Timelines out of order.
    #[error("history of timeline {timeline}, line {line}: expected a timeline greater than {after}, found {found}")]
    Order {
        timeline: TimelineId,
        line: usize,
        after: TimelineId,
        found: TimelineId,
    },
    /// An ancestor that is not older than its descendant.
    #[error("history of timeline {timeline}: expected ancestors below it, found {found}")]
    Ancestor { timeline: TimelineId, found: TimelineId },
}

impl TimelineHistory {
    /// The history of a first timeline: it has no file, because it branched off nowhere.
    #[must_use]
    pub fn first(timeline: TimelineId) -> TimelineHistory {
        TimelineHistory {
            timeline,
            ancestors: Vec::new(),
        }
    }

    /// Reads the file of `timeline`. As PostgreSQL does, empty lines and comments (`#`) are passed over, and what stands
    /// behind the position is kept as the reason.
    pub fn parse(timeline: TimelineId, text: &str) -> Result<TimelineHistory, InvalidHistory> {
        let mut history = TimelineHistory::first(timeline);
        for (index, line) in text.lines().enumerate() {
            let line_text = line.trim_start();
            if line_text.is_empty() || line_text.starts_with('#') {
                continue;
            }
            let branch = parse_branch(timeline, index + 1, line_text)?;
            match history.ancestors.last() {
                Some(last) if branch.timeline <= last.timeline => {
                    return Err(InvalidHistory::Order {
                        timeline,
                        line: index + 1,
                        after: last.timeline,
                        found: branch.timeline,
                    });
                }
                Some(_) | None => history.ancestors.push(branch),
            }
        }
        match history.ancestors.last() {
            Some(last) if last.timeline >= timeline => Err(InvalidHistory::Ancestor {
                timeline,
                found: last.timeline,
            }),
            Some(_) | None => Ok(history),
        }
    }

    /// The history of a timeline that leaves this one at `end`; the error says that `child` is not greater.
    pub fn branch(&self, child: TimelineId, end: Lsn, reason: &str) -> Result<TimelineHistory, InvalidHistory> {
        if child <= self.timeline {
            return Err(InvalidHistory::Ancestor {
                timeline: child,
                found: self.timeline,
            });
        }
        let mut ancestors = self.ancestors.clone();
        ancestors.push(Branch {
            timeline: self.timeline,
            end,
            reason: reason.to_owned(),
        });
        Ok(TimelineHistory {
            timeline: child,
            ancestors,
        })
    }

    /// Whose history it is.
    #[must_use]
    pub fn timeline(&self) -> TimelineId {
        self.timeline
    }

    /// Its ancestors, oldest first.
    #[must_use]
    pub fn ancestors(&self) -> &[Branch] {
        &self.ancestors
    }

    /// The timeline that the byte at `lsn` belongs to (`tliOfPointInHistory`).
    #[must_use]
    pub fn timeline_at(&self, lsn: Lsn) -> TimelineId {
        let ancestor = self.ancestors.iter().find(|branch| lsn < branch.end);
        ancestor.map_or(self.timeline, |branch| branch.timeline)
    }

    /// Where an ancestor was left; `None` for the timeline itself and for those that are no ancestors
    /// (`tliSwitchPoint`).
    #[must_use]
    pub fn left_at(&self, timeline: TimelineId) -> Option<Lsn> {
        let ancestor = self.ancestors.iter().find(|branch| branch.timeline == timeline);
        ancestor.map(|branch| branch.end)
    }
}

fn parse_branch(timeline: TimelineId, line: usize, text: &str) -> Result<Branch, InvalidHistory> {
    let found = || text.to_owned();
    let (id, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let id = id.parse().map_err(|_| InvalidHistory::Timeline {
        timeline,
        line,
        found: found(),
    })?;
    let rest = rest.trim_start();
    let (end, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let end = end.parse().map_err(|_| InvalidHistory::Position {
        timeline,
        line,
        found: found(),
    })?;
    Ok(Branch {
        timeline: TimelineId(id),
        end,
        reason: reason.to_owned(),
    })
}

/// The text as PostgreSQL writes it: an empty line before each line but the first.
impl fmt::Display for TimelineHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, branch) in self.ancestors.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            writeln!(f, "{gap}{}\t{}\t{}", branch.timeline, branch.end, branch.reason)?;
        }
        Ok(())
    }
}
