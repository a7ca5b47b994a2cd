//! What goes wrong, and how it ends.

use crate::world::{Event, World};

impl World {
    /// One fault, and the time of the next.
    pub(crate) fn fault(&mut self) {
        if self.calm || self.faults_left == 0 {
            return;
        }
        self.faults_left -= 1;
        let node = self.rng.index(self.nodes.len());
        let peer = self.rng.index(self.nodes.len());
        match self.rng.below(12) {
            0..=2 => self.engine_crash(node),
            3..=5 => self.server_crash(node),
            6 => {
                self.server_crash(node);
                self.engine_crash(node);
                self.nodes[node].disk.crash(&mut self.rng);
                self.nodes[node].unsafe_to_send.clear();
            }
            7 | 8 => {
                self.report.add("links cut", 1);
                self.cut_link(node, peer);
                let delay = self.rng.latency(10_000);
                self.schedule.after(delay, Event::LinkUp { from: node, to: peer });
            }
            9 => self.links[node][peer].held = !self.links[node][peer].held,
            10 => {
                self.report.add("clock jumps", 1);
                let jump = i64::try_from(self.rng.below(4_000_000)).expect("small") - 2_000_000;
                self.nodes[node].server.skew_micros += jump;
            }
            _ => {
                self.report.add("wild clocks", 1);
                // A clock that is set back by more than the permitted skew makes stamps that are read again others.
                let jump = i64::try_from(self.rng.below(20_000_000)).expect("small");
                self.nodes[node].server.skew_micros += jump;
            }
        }
        let delay = self.rng.latency(20_000);
        self.schedule.after(delay, Event::Fault);
    }

    /// A server dies that has just answered a peer.
    pub(crate) fn crash_after_answer(&mut self, node: usize) {
        if !self.calm && self.faults_left > 0 {
            self.faults_left -= 1;
            self.server_crash(node);
        }
    }

    pub(crate) fn cut_link(&mut self, from: usize, to: usize) {
        self.links[from][to].cut();
        self.links[to][from].cut();
    }

    /// Nothing goes wrong from here on, and what is down comes up.
    pub(crate) fn calm_down(&mut self) {
        self.calm = true;
        for node in 0..self.nodes.len() {
            self.nodes[node].server.temper.failures_per_mille = 0;
            self.nodes[node].server.temper.late_percent = 0;
            for peer in 0..self.nodes.len() {
                self.links[node][peer].held = false;
                self.schedule.after(1, Event::LinkUp { from: node, to: peer });
            }
        }
    }
}
