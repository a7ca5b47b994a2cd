//! Any sequence of operations equals a list of blocks.

use proptest::prelude::*;
use synapse_wal_types::Lsn;

use super::{open, read};
use crate::samples::{encoded, parts};
use crate::{EncodedBlock, Error, Log};

#[derive(Debug, Clone)]
enum Op {
    Append(u64),
    Parts(u32),
    Unfinished(u32),
    DropUnfinished,
    Progress(Vec<u8>),
    Sync,
    Reopen,
    Prune(u64),
    Follow,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1_u64..4).prop_map(Op::Append),
        1 => (2_u32..5).prop_map(Op::Parts),
        1 => (2_u32..5).prop_map(Op::Unfinished),
        1 => Just(Op::DropUnfinished),
        2 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Op::Progress),
        3 => Just(Op::Sync),
        1 => Just(Op::Reopen),
        1 => (0_u64..30).prop_map(Op::Prune),
        2 => Just(Op::Follow),
    ]
}

#[derive(Default)]
struct Model {
    blocks: Vec<EncodedBlock>,
    next: u64,
    progress: Option<(u64, Vec<u8>)>,
    durable: u64,
    followed: usize,
}

impl Model {
    fn end(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.header().last.0)
    }

    fn append(&mut self, log: &Log, op: &Op) {
        let at = self.next + 1;
        log.drop_unfinished().unwrap();
        let blocks = match op {
            Op::Append(count) => vec![encoded(&(at..at + count).collect::<Vec<_>>())],
            Op::Parts(count) | Op::Unfinished(count) => parts(at, *count),
            Op::DropUnfinished | Op::Progress(_) | Op::Sync | Op::Reopen | Op::Prune(_) | Op::Follow => {
                panic!("{op:?} appends nothing")
            }
        };
        self.next = blocks.last().unwrap().header().last.0;
        let whole = !matches!(op, Op::Unfinished(_));
        for block in &blocks[..blocks.len() - usize::from(!whole)] {
            log.append(block).unwrap();
        }
        if whole {
            self.blocks.extend(blocks);
        }
    }

    fn check(&self, log: &Log) {
        assert_eq!(log.end(), Lsn(self.end()));
        assert_eq!(log.durable(), Lsn(self.durable));
        let begin = log.begin();
        for after in (begin.0..=self.end() + 1).step_by(3) {
            let expected: Vec<_> = self
                .blocks
                .iter()
                .filter(|block| block.header().last > Lsn(after))
                .cloned()
                .collect();
            assert_eq!(read(log.read_after(Lsn(after)).unwrap()), expected, "after {after}");
        }
        if begin > Lsn::ZERO {
            let refused = log.read_after(Lsn(begin.0 - 1));
            assert!(matches!(refused, Err(Error::Pruned { first_available }) if first_available == begin));
        }
        let progress = log.last_progress().unwrap().map(|item| (item.lsn.0, item.payload));
        assert_eq!(progress, self.progress);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_log_equals_a_list_of_blocks(ops in proptest::collection::vec(op(), 1..60), segment_bytes in 200_u64..3000) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(&dir, segment_bytes);
        let mut model = Model::default();
        let mut follower = log.read_after(Lsn::ZERO).unwrap();
        for op in &ops {
            match op {
                Op::Append(_) | Op::Parts(_) | Op::Unfinished(_) => model.append(&log, op),
                Op::DropUnfinished => log.drop_unfinished().unwrap(),
                Op::Progress(payload) => {
                    log.drop_unfinished().unwrap();
                    log.append_progress(Lsn(model.end()), payload).unwrap();
                    model.progress = Some((model.end(), payload.clone()));
                }
                Op::Sync => {
                    prop_assert_eq!(log.sync().unwrap(), log.end());
                }
                Op::Reopen => {
                    drop(log);
                    log = open(&dir, segment_bytes);
                    let after = model.followed.checked_sub(1).map_or(Lsn::ZERO, |at| model.blocks[at].header().last);
                    follower = log.read_after(after.max(log.begin())).unwrap();
                    model.followed = model.blocks.partition_point(|block| block.header().last <= after.max(log.begin()));
                }
                Op::Prune(lsn) => {
                    let before = log.begin();
                    log.prune_below(Lsn(*lsn)).unwrap();
                    prop_assert!(log.begin() <= before.max(Lsn(*lsn)));
                }
                Op::Follow => match follower.next_block() {
                    Ok(block) => {
                        prop_assert_eq!(block.as_ref(), model.blocks.get(model.followed));
                        model.followed += usize::from(block.is_some());
                    }
                    Err(Error::Pruned { first_available }) => {
                        prop_assert!(model.blocks[model.followed].header().last <= first_available);
                        follower = log.read_after(first_available).unwrap();
                        model.followed = model.blocks.partition_point(|block| block.header().last <= first_available);
                    }
                    Err(error) => panic!("{error}"),
                },
            }
            let durable = log.durable().0;
            prop_assert!(durable >= model.durable && durable <= model.end());
            model.durable = durable;
            model.check(&log);
        }
    }
}
