use synapse_wal_types::{Lsn, SlotName};

use super::slot::create_logical;
use super::start::logical;
use super::{LogicalSlot, LogicalStart, OriginFilter, SlotLife, SlotSnapshot, Streaming};
use crate::{Error, ServerVersion};

fn version(major: u16) -> ServerVersion {
    ServerVersion { major, minor: 0 }
}

fn slot() -> SlotName {
    "1s".parse().unwrap()
}

#[test]
fn the_protocol_version_follows_the_server() {
    for (major, protocol) in [(14, 2), (15, 3), (16, 4), (18, 4), (19, 4)] {
        let options = LogicalStart {
            publications: vec!["p".to_owned()],
            ..LogicalStart::default()
        };
        let command = logical(&slot(), Lsn(0x1_0000_0002), &options, version(major)).unwrap();
        let head = format!("START_REPLICATION SLOT \"1s\" LOGICAL 1/2 (proto_version '{protocol}'");
        assert_eq!(command, format!("{head}, publication_names '\"p\"', streaming 'on')"));
    }
}

#[test]
fn publication_names_are_quoted_twice() {
    let publications = vec!["a\"b".to_owned(), "it's, \\".to_owned()];
    let options = LogicalStart {
        publications,
        streaming: Streaming::Off,
        ..LogicalStart::default()
    };
    let command = logical(&slot(), Lsn::ZERO, &options, version(15)).unwrap();
    assert!(
        command.ends_with(r#"publication_names '"a""b","it''s, \"')"#),
        "{command}"
    );
}

#[test]
fn every_option_is_spelled_and_none_goes_to_a_server_without_it() {
    let all = LogicalStart {
        publications: vec!["p".to_owned()],
        streaming: Streaming::Parallel,
        messages: true,
        binary: true,
        two_phase: true,
        origin: OriginFilter::Local,
        ..LogicalStart::default()
    };
    let command = logical(&slot(), Lsn::ZERO, &all, version(16)).unwrap();
    let options = "streaming 'parallel', messages 'true', binary 'true', two_phase 'on', origin 'none')";
    assert!(command.ends_with(options), "{command}");
    let refused = |options: LogicalStart, major| {
        matches!(
            logical(&slot(), Lsn::ZERO, &options, version(major)),
            Err(Error::Version { .. })
        )
    };
    assert!(refused(
        LogicalStart {
            streaming: Streaming::Parallel,
            ..LogicalStart::default()
        },
        15
    ));
    assert!(refused(
        LogicalStart {
            two_phase: true,
            ..LogicalStart::default()
        },
        14
    ));
    assert!(refused(
        LogicalStart {
            origin: OriginFilter::Local,
            ..LogicalStart::default()
        },
        15
    ));
}

#[test]
fn a_slot_is_created_in_the_servers_own_grammar() {
    let command = |life, snapshot, major| create_logical(&slot(), LogicalSlot { life, snapshot }, version(major));
    let start = "CREATE_REPLICATION_SLOT \"1s\"";
    for (snapshot, old, new) in [
        (SlotSnapshot::Export, "EXPORT_SNAPSHOT", "(SNAPSHOT 'export')"),
        (SlotSnapshot::None, "NOEXPORT_SNAPSHOT", "(SNAPSHOT 'nothing')"),
        (SlotSnapshot::Use, "USE_SNAPSHOT", "(SNAPSHOT 'use')"),
    ] {
        assert_eq!(
            command(SlotLife::Permanent, snapshot, 14),
            format!("{start} LOGICAL pgoutput {old}")
        );
        assert_eq!(
            command(SlotLife::Temporary, snapshot, 18),
            format!("{start} TEMPORARY LOGICAL pgoutput {new}")
        );
    }
}
