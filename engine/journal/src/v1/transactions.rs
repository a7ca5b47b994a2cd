use std::collections::HashMap;
use std::sync::Arc;

use rkyv::{Archive, Serialize};
use synapse_engine_change::{Block, Part};
use synapse_engine_identity::{Context, Epoch, Hlc, NodeId};
use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use super::changes::PAYLOAD;
use crate::error::{Error, Result};
use crate::header::{malformed, node_bytes, parse_origin};

/// One transaction; its changes begin where those of the one before end.
#[derive(Archive, Serialize)]
pub(super) struct Transaction {
    lsn: u64,
    hlc: u64,
    commit_ts: i64,
    context: u32,
    epoch: u32,
    xid: u32,
    changes_end: u32,
    part: u32,
    part_number: u32,
}

/// How far a context has seen one origin.
#[derive(Archive, Serialize)]
pub(super) struct ContextEntry {
    node: [u8; NodeId::LENGTH_MAX],
    incarnation: u32,
    lsn: u64,
}

/// Context entries, where each context ends in them, and the transactions of `block`, whose laws are checked here.
pub(super) fn flatten(block: &Block) -> Result<(Vec<ContextEntry>, Vec<u32>, Vec<Transaction>)> {
    let (mut entries, mut ends) = (Vec::new(), Vec::new());
    let mut numbers: HashMap<&Context, u32> = HashMap::new();
    let mut transactions = Vec::with_capacity(block.transactions.len());
    let (mut lsn, mut end) = (Lsn::ZERO, 0);
    for txn in &block.transactions {
        if txn.lsn <= lsn {
            return Err(Error::Invalid {
                what: "its transactions are not in the order of their commits",
            });
        }
        if txn.changes.start != end || txn.changes.end < end {
            return Err(Error::Invalid {
                what: "its changes are not in the order of its transactions",
            });
        }
        if txn.part != Part::Whole && block.transactions.len() > 1 {
            return Err(Error::Invalid {
                what: "a part of a transaction does not stand alone",
            });
        }
        (lsn, end) = (txn.lsn, txn.changes.end);
        let number = match numbers.get(&*txn.context) {
            Some(number) => *number,
            None => {
                entries.extend(txn.context.iter().map(|(origin, lsn)| ContextEntry {
                    node: node_bytes(origin.node),
                    incarnation: origin.incarnation.0,
                    lsn: lsn.0,
                }));
                let number = count(ends.len())?;
                ends.push(count(entries.len())?);
                numbers.insert(&txn.context, number);
                number
            }
        };
        let (part, part_number) = match txn.part {
            Part::Whole => (0, 0),
            Part::Middle(number) => (1, number),
            Part::Last(number) => (2, number),
        };
        transactions.push(Transaction {
            lsn: txn.lsn.0,
            hlc: txn.hlc.0,
            commit_ts: txn.commit_ts.0,
            context: number,
            epoch: txn.epoch.0,
            xid: txn.xid.0,
            changes_end: count(txn.changes.end)?,
            part,
            part_number,
        });
    }
    if end != block.changes.len() {
        return Err(Error::Invalid {
            what: "some changes belong to no transaction",
        });
    }
    Ok((entries, ends, transactions))
}

/// The contexts that transactions share.
pub(super) fn contexts(entries: &[ArchivedContextEntry], ends: &[rkyv::rend::u32_le]) -> Result<Vec<Arc<Context>>> {
    let mut start = 0;
    let contexts = ends
        .iter()
        .map(|end| {
            let end = end.to_native() as usize;
            let own = entries
                .get(start..end)
                .ok_or(malformed(PAYLOAD, "contexts do not follow one another"))?;
            start = end;
            own.iter()
                .map(|entry| {
                    parse_origin(&entry.node, entry.incarnation.to_native())
                        .map(|origin| (origin, Lsn(entry.lsn.to_native())))
                        .ok_or(malformed(PAYLOAD, "a context names no origin"))
                })
                .collect::<Result<Context>>()
                .map(Arc::new)
        })
        .collect::<Result<Vec<_>>>()?;
    if start == entries.len() {
        Ok(contexts)
    } else {
        Err(malformed(PAYLOAD, "contexts do not use all entries"))
    }
}

/// The transactions, which must use all of `changes` changes.
pub(super) fn restore(
    archived: &[ArchivedTransaction],
    contexts: &[Arc<Context>],
    changes: usize,
) -> Result<Vec<synapse_engine_change::Transaction>> {
    let (mut lsn, mut end) = (Lsn::ZERO, 0);
    let transactions = archived
        .iter()
        .map(|txn| {
            let context = contexts
                .get(txn.context.to_native() as usize)
                .ok_or(malformed(PAYLOAD, "a transaction names no context"))?;
            let part = match (txn.part.to_native(), txn.part_number.to_native()) {
                (0, 0) => Part::Whole,
                (1, number) => Part::Middle(number),
                (2, number) => Part::Last(number),
                _ => return Err(malformed(PAYLOAD, "unknown part of a transaction")),
            };
            let start = end;
            end = txn.changes_end.to_native() as usize;
            let before = std::mem::replace(&mut lsn, Lsn(txn.lsn.to_native()));
            if part != Part::Whole && archived.len() > 1 {
                return Err(malformed(PAYLOAD, "a part of a transaction does not stand alone"));
            }
            if lsn <= before || end < start {
                return Err(malformed(PAYLOAD, "transactions do not follow one another"));
            }
            Ok(synapse_engine_change::Transaction {
                lsn,
                hlc: Hlc(txn.hlc.to_native()),
                context: Arc::clone(context),
                epoch: Epoch(txn.epoch.to_native()),
                commit_ts: PgTimestamp(txn.commit_ts.to_native()),
                xid: Xid(txn.xid.to_native()),
                changes: start..end,
                part,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    if end == changes {
        Ok(transactions)
    } else {
        Err(malformed(PAYLOAD, "transactions do not use all changes"))
    }
}

fn count(number: usize) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::TooLarge {
        bytes: number as u64,
        limit: u64::from(u32::MAX),
    })
}
