use super::*;
use crate::demo::status::Conflicts;
use crate::demo::verdict::Table;
use crate::record::tests::sample;

fn report(equal: bool) -> Report {
    let load = Load {
        transactions: 100,
        failed: 0,
        tps: 20.0,
    };
    let by_kind = BTreeMap::from([("update_origin_differs".to_owned(), 5)]);
    let status = Status {
        node: "n1".to_owned(),
        conflicts: Conflicts { total: 5, by_kind },
        peers: Vec::new(),
    };
    let table = Table {
        table: "public.t".to_owned(),
        equal,
        differences_total: u64::from(!equal),
    };
    let verdict = Verdict {
        equal,
        tables: vec![table],
    };
    make(&sample(), Path::new("/d"), 5, &[load], &[status], verdict)
}

#[test]
fn equal_nodes_are_said_to_be_equal() {
    let text = report(true).to_string();
    assert!(text.contains("\nequal: yes (1 tables on 1 nodes)\n"), "{text}");
    assert!(text.contains("\nconflicts, update_origin_differs: 5\n"), "{text}");
    assert!(
        text.contains("psql 'host=127.0.0.1 port=7400 user=postgres dbname=app'"),
        "{text}"
    );
}

#[test]
fn a_table_that_differs_is_named() {
    let text = report(false).to_string();
    assert!(text.contains("\nequal: NO\n  public.t: 1 keys differ\n"), "{text}");
    assert!(!text.contains("equal: yes"), "{text}");
}
