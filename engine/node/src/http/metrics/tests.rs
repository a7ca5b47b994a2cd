use super::*;

#[test]
fn labels_cannot_break_out_of_their_quotes() {
    let mut page = Page(String::new());
    page.sample("m", &[("table", "a\"b\\c\nd"), ("kind", "k")], 7);
    assert_eq!(page.0, "m{table=\"a\\\"b\\\\c\\nd\",kind=\"k\"} 7\n");
}

#[test]
fn a_family_is_described_before_its_samples() {
    let mut page = Page(String::new());
    page.family("m", "gauge", "What it is");
    page.sample("m", &[], 0.5);
    assert_eq!(page.0, "# HELP m What it is\n# TYPE m gauge\nm 0.5\n");
}
