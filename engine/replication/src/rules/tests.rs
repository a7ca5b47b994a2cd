use synapse_engine_identity::{ColumnId, Incarnation};

use super::*;

const TABLE: TableId = TableId(3);

fn rules(policy: &str) -> Rules {
    Rules {
        policy: policy.parse().unwrap(),
        counters: ColumnSet::new(),
    }
}

fn known(policies: &[(u32, &str)]) -> Policies {
    let mut known = Policies::default();
    for (epoch, policy) in policies {
        known.learn(Epoch(*epoch), TABLE, rules(policy));
    }
    known
}

fn origin(node: &str) -> Origin {
    Origin {
        node: node.parse().unwrap(),
        incarnation: Incarnation(1),
    }
}

#[test]
fn a_write_is_under_the_policy_of_its_epoch() {
    let known = known(&[(5, "merge"), (2, "first-write-wins")]);
    let at = |epoch| known.at(TABLE, Epoch(epoch)).policy.to_string();
    assert_eq!([at(0), at(1)], ["last-write-wins", "last-write-wins"]);
    assert_eq!([at(2), at(4)], ["first-write-wins", "first-write-wins"]);
    assert_eq!([at(5), at(9)], ["last-write-wins merge", "last-write-wins merge"]);
    assert_eq!(known.at(TableId(4), Epoch(9)).policy, Policy::default());
    assert_eq!(known.latest(), Epoch(5));
}

#[test]
fn a_conflict_that_waits_for_a_person_is_decided_by_the_next_policy() {
    let policies = known(&[(2, "error"), (3, "error"), (5, "first-write-wins"), (6, "merge")]);
    let book = policies.book(TABLE, &[]);
    let deciding = |epoch| book.deciding(Epoch(epoch)).policy.to_string();
    assert_eq!(deciding(1), "last-write-wins");
    assert_eq!([deciding(2), deciding(4)], ["first-write-wins", "first-write-wins"]);
    assert_eq!(deciding(6), "last-write-wins merge");
    let waiting = known(&[(2, "error")]);
    assert_eq!(waiting.book(TABLE, &[]).deciding(Epoch(7)).policy, Policy::Error);
}

#[test]
fn each_order_prefers_what_it_says() {
    let (early, late) = ((Hlc(1), origin("n1"), Lsn(10)), (Hlc(2), origin("n2"), Lsn(5)));
    let later_wins = |policy: &str| {
        let rules = rules(policy);
        let rank = |(hlc, origin, lsn)| rules.rank(hlc, origin, lsn);
        rank(late) > rank(early)
    };
    assert!(later_wins("last-write-wins"));
    assert!(!later_wins("first-write-wins"));
    assert!(later_wins("priority(n2,n1)"));
    assert!(!later_wins("priority(n1,n2)"));
    assert!(!later_wins("priority(n1)"), "a node that is not named comes last");
    assert!(
        later_wins("priority(n3)"),
        "among writes of one rank the later one wins"
    );
}

#[test]
fn an_update_carries_no_counter_but_what_it_added() {
    let counters: ColumnSet = [ColumnId(2)].into_iter().collect();
    let rules = Rules {
        policy: "counter(stock)".parse().unwrap(),
        counters: counters.clone(),
    };
    let missing: ColumnSet = [ColumnId(1)].into_iter().collect();
    let both = missing.union(&counters);
    let update = WriteOp::Update { missing };
    assert_eq!(rules.noted(&update), (WriteOp::Update { missing: both }, true));
    let insert = WriteOp::Insert {
        missing: ColumnSet::new(),
    };
    assert_eq!(rules.noted(&insert), (insert.clone(), false));
    assert_eq!(Rules::default().noted(&update), (update.clone(), false));
}
