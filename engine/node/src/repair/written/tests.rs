use super::*;

#[test]
fn an_origin_of_ours_names_its_node() {
    assert_eq!(author("synapse_n2_1795000000"), "n2".parse().ok());
    assert_eq!(author("synapse_eu_west_1_7"), "eu_west_1".parse().ok());
    assert_eq!(author("pg_16389"), None);
    assert_eq!(author("synapse_"), None);
}
