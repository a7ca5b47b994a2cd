use std::collections::{BTreeSet, HashMap};

use synapse_wal_pgoutput::{Assembler, Committed, Step, decode, encode};
use synapse_wal_types::Xid;

use crate::text;

/// What a sequence of messages says.
#[derive(Default)]
pub(crate) struct Reading {
    /// As `test_decoding` would tell it.
    pub(crate) lines: Vec<String>,
    /// In their order.
    pub(crate) commits: Vec<Committed>,
    /// Contents of the messages outside of transactions.
    pub(crate) messages: Vec<String>,
    /// Tags seen.
    pub(crate) kinds: BTreeSet<u8>,
    pub(crate) savepoints_aborted: usize,
    pub(crate) transactions_aborted: usize,
    pub(crate) open_at_once: usize,
}

/// Decodes, encodes again, and assembles: rows wait for their commit here as they would in a spool.
pub(crate) fn read(messages: &[Vec<u8>], types: &HashMap<u32, String>) -> Reading {
    let mut reading = Reading::default();
    let mut assembler = Assembler::new();
    let mut whole: Vec<String> = Vec::new();
    let mut chunks: HashMap<Xid, Vec<(Xid, String)>> = HashMap::new();
    for bytes in messages {
        let message = decode(bytes, assembler.in_stream()).unwrap();
        let mut again = Vec::new();
        encode(&message, &mut again).unwrap();
        assert_eq!(&again, bytes, "{message:?}");
        reading.kinds.insert(message.kind().tag());
        match assembler.push(message).unwrap() {
            Step::Noted | Step::ChunkStop { .. } => {}
            Step::Begin(begin) => whole.push(format!("BEGIN {}", begin.xid)),
            Step::Change(change) => whole.push(text::change(&change, types)),
            Step::ChunkStart { xid, first } => {
                assert_eq!(first, !chunks.contains_key(&xid));
                chunks.entry(xid).or_default();
            }
            Step::ChunkChange { xid, subxid, change } => {
                chunks
                    .get_mut(&xid)
                    .unwrap()
                    .push((subxid, text::change(&change, types)));
            }
            Step::StreamAbort { xid, subxid, .. } if xid == subxid => {
                reading.transactions_aborted += 1;
                chunks.remove(&xid).unwrap();
            }
            Step::StreamAbort { xid, subxid, .. } => {
                reading.savepoints_aborted += 1;
                chunks.get_mut(&xid).unwrap().retain(|(writer, _)| *writer != subxid);
            }
            Step::Commit(committed) => {
                if committed.streamed {
                    whole.push(format!("BEGIN {}", committed.xid));
                    whole.extend(chunks.remove(&committed.xid).unwrap().into_iter().map(|(_, line)| line));
                }
                reading.lines.append(&mut whole);
                reading.lines.push(format!("COMMIT {}", committed.xid));
                reading.commits.push(committed);
            }
            Step::Message(message) => {
                reading
                    .messages
                    .push(String::from_utf8(message.content.to_vec()).unwrap());
                reading.lines.push(text::message(0, message.prefix, message.content));
            }
        }
        reading.open_at_once = reading.open_at_once.max(assembler.open_streams());
        assert_eq!(assembler.open_streams(), chunks.len());
    }
    assert!(whole.is_empty() && chunks.is_empty(), "transactions without an end");
    reading
}
