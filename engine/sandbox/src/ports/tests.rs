use super::*;

#[test]
fn the_third_node_stands_twenty_above_the_base() {
    let plan = PortPlan::new(7400, 3).unwrap();
    assert_eq!(
        plan.of(0).unwrap(),
        NodePorts {
            postgres: 7400,
            link: 7401,
            api: 7402
        }
    );
    assert_eq!(
        plan.of(2).unwrap(),
        NodePorts {
            postgres: 7420,
            link: 7421,
            api: 7422
        }
    );
}

#[test]
fn a_plan_without_room_is_a_usage_error() {
    for (base, nodes) in [(7400, 0), (7400, NODES_MAX + 1), (0, 1), (65_534, 1), (65_533, 2)] {
        assert_eq!(PortPlan::new(base, nodes).unwrap_err().exit_code(), 2, "{base} {nodes}");
    }
    assert!(PortPlan::new(65_533, 1).is_ok());
}

#[test]
fn a_busy_port_is_named_with_its_role() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let link = listener.local_addr().unwrap().port();
    let ports = NodePorts {
        postgres: 0,
        link,
        api: 0,
    };
    let error = ports.check_free("n2").unwrap_err();
    let named = matches!(&error, Error::PortBusy { port, node, role: "link" } if *port == link && node == "n2");
    assert!(named, "{error}");
}

#[test]
fn the_search_for_a_base_passes_over_a_busy_port() {
    let first = first_free_base(2).unwrap();
    // When this fails, another process has just taken the port: it is busy all the same.
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first + 11));
    assert!(first_free_base(2).unwrap() > first);
}
