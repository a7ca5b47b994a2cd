use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use synapse_wal_types::Lsn;

use crate::{ColumnId, ColumnSet, Context, Epoch, Hlc, Incarnation, KeyHash, NodeId, Origin, Stamp, TxnId};

fn origin(name: &str) -> Origin {
    Origin {
        node: name.parse().unwrap(),
        incarnation: Incarnation(7),
    }
}

#[test]
fn names_that_cannot_stand_unquoted_are_refused() {
    for name in ["", "1n", "N1", "a-b", "a b", "_a", "é", &"a".repeat(25)] {
        assert!(name.parse::<NodeId>().is_err(), "{name:?} was taken");
    }
    assert_eq!("n1".parse::<NodeId>().unwrap().as_str(), "n1");
    assert_eq!("a".repeat(24).parse::<NodeId>().unwrap().as_str(), "a".repeat(24));
}

#[test]
fn the_text_of_a_transaction_reads_back() {
    let txn = TxnId {
        origin: origin("n1"),
        lsn: Lsn(0x16_B374_D848),
    };
    assert_eq!(txn.to_string(), "n1:7@16/B374D848");
    assert_eq!(txn.to_string().parse(), Ok(txn));
    for text in ["", "n1", "n1:7", "n1@0/1", "n1:x@0/1", "n1:7@1"] {
        assert!(text.parse::<TxnId>().is_err(), "{text:?} was taken");
    }
}

#[test]
fn a_context_never_goes_back() {
    let (a, b) = (origin("a"), origin("b"));
    let mut context = Context::new();
    assert!(context.advance(b, Lsn(5)));
    assert!(!context.advance(b, Lsn(4)));
    assert!(context.advance(a, Lsn(1)));
    assert_eq!((context.get(a), context.get(b)), (Lsn(1), Lsn(5)));
    assert_eq!(context.iter().collect::<Vec<_>>(), [(a, Lsn(1)), (b, Lsn(5))]);
}

#[test]
fn a_transaction_saw_its_own_past_and_its_context() {
    let (a, b) = (origin("a"), origin("b"));
    let context = Arc::new(Context::from_iter([(b, Lsn(5))]));
    let stamp = Stamp {
        txn: TxnId { origin: a, lsn: Lsn(9) },
        context,
        hlc: Hlc(1),
        epoch: Epoch(0),
    };
    assert!(stamp.saw(TxnId { origin: a, lsn: Lsn(9) }));
    assert!(!stamp.saw(TxnId {
        origin: a,
        lsn: Lsn(10)
    }));
    assert!(stamp.saw(TxnId { origin: b, lsn: Lsn(5) }));
    assert!(!stamp.saw(TxnId { origin: b, lsn: Lsn(6) }));
}

#[test]
fn keys_of_the_same_bytes_in_other_parts_differ() {
    let hash = |parts: &[&str]| KeyHash::of(parts.iter().map(|p| p.as_bytes()));
    assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    assert_ne!(hash(&["a"]), hash(&["a", ""]));
    assert_eq!(hash(&["a", "b"]), hash(&["a", "b"]));
}

proptest! {
    #[test]
    fn names_stand_in_the_order_of_their_text(a in "[a-z][a-b_0-1]{0,23}", b in "[a-z][a-b_0-1]{0,23}", cut in 1_usize..24) {
        let node = |name: &str| name.parse::<NodeId>().unwrap();
        prop_assert_eq!(node(&a).cmp(&node(&b)), a.cmp(&b));
        let beginning = &a[..cut.min(a.len())];
        prop_assert_eq!(node(&a).cmp(&node(beginning)), a.as_str().cmp(beginning));
    }

    #[test]
    fn contexts_join_to_the_furthest_of_each_origin(
        a in proptest::collection::btree_map(0_u8..8, 0_u64..5, 0..8),
        b in proptest::collection::btree_map(0_u8..8, 0_u64..5, 0..8),
    ) {
        let context = |seen: &BTreeMap<u8, u64>| {
            let entry = |(name, lsn): (&u8, &u64)| (origin(&format!("n{name}")), Lsn(*lsn));
            seen.iter().rev().map(entry).collect::<Context>()
        };
        let mut joined = context(&a);
        joined.join(&context(&b));
        let mut furthest = a;
        for (name, lsn) in b {
            let seen = furthest.entry(name).or_default();
            *seen = lsn.max(*seen);
        }
        prop_assert_eq!(&joined, &context(&furthest));
        prop_assert!(joined.covers_all(&context(&furthest)));
        prop_assert!(joined.iter().all(|(_, lsn)| lsn > Lsn::ZERO));
    }

    #[test]
    fn column_sets_behave_as_sets(a in proptest::collection::btree_set(0_u16..300, 0..8), b in proptest::collection::btree_set(0_u16..300, 0..8)) {
        let set = |s: &BTreeSet<u16>| s.iter().copied().map(ColumnId).collect::<ColumnSet>();
        let back = |s: ColumnSet| s.iter().map(|c| c.0).collect::<BTreeSet<_>>();
        prop_assert_eq!(back(set(&a).union(&set(&b))), a.union(&b).copied().collect());
        prop_assert_eq!(back(set(&a).intersection(&set(&b))), a.intersection(&b).copied().collect());
        prop_assert_eq!(back(set(&a).difference(&set(&b))), a.difference(&b).copied().collect());
        prop_assert_eq!(set(&a).difference(&set(&a)), ColumnSet::new());
    }
}
