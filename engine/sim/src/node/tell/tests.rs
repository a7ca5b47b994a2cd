use super::*;
use crate::options::Options;
use crate::postgres::{Durability, Kind, OnConflict, Statement, Step};
use crate::violation::Law;

const VALUE: u64 = 5_000;

/// Two nodes that are linked, without applications, and a row at the first whose commit is not flushed.
fn world() -> World {
    let options = Options {
        nodes: Some(2),
        faults: false,
        ..Options::default()
    };
    let mut world = World::new(1, &options);
    for node in 0..2 {
        world.schedule.after(1, Event::EngineUp { node });
    }
    until(&mut world, 1_000_000);
    let session = world.nodes[0].server.connect(Kind::Application);
    let table = Table::Toast;
    let rows = vec![vec![Some(1), Some(VALUE), Some(VALUE + 1)]];
    let on_conflict = OnConflict::Fail;
    let insert = Statement::Insert {
        table,
        rows,
        on_conflict,
    };
    for statement in [Statement::Begin, insert, Statement::Commit(Durability::Asynchronous)] {
        let server = &mut world.nodes[0].server;
        server.submit(session, statement);
        while !matches!(server.step(session, 0, &mut world.rng), Step::Done(Ok(_))) {}
    }
    assert!(world.nodes[0].server.row(table, 1).is_some());
    world
}

fn until(world: &mut World, time: u64) {
    while world.now() < time {
        let event = world.schedule.next().expect("engines always have something to do");
        world.handle(event);
    }
}

fn question() -> Question {
    Question {
        peer: 1,
        id: 1,
        table: Table::Toast,
        key: 1,
        state: Stand::Unread,
    }
}

#[test]
fn a_row_is_told_once_no_crash_can_take_it_back() {
    let mut world = world();
    let written = world.nodes[0].server.wal.inserted();
    assert!(world.nodes[0].server.wal.flushed() < written);
    world.tell(0, question());
    assert!(world.nodes[0].told.is_empty(), "it could still be forgotten");
    let end = world.now() + 1_000_000;
    until(&mut world, end);
    assert!(world.nodes[0].server.wal.flushed() >= written);
    assert!(world.nodes[0].told.contains(&VALUE));
    world.server_crash(0);
    assert_eq!(world.broken, None);
}

#[test]
fn what_is_told_and_forgotten_breaks_a_law() {
    let mut world = world();
    world.nodes[0].told.insert(VALUE);
    world.server_crash(0);
    assert_eq!(world.broken.map(|violation| violation.law), Some(Law::WhatIsToldStays));
}
