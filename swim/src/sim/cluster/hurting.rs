//! What a scenario does to processes.

use std::ops::Range;
use std::time::Duration;

use super::Cluster;
use crate::sim::lateness::Lateness;
use crate::sim::process::{Condition, Pid, Process};

/// How a wall clock jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockJump {
    /// Into the future.
    Ahead(Duration),
    /// Into the past.
    Back(Duration),
}

impl Cluster {
    /// Kills a process; its kernel closes its streams.
    pub fn crash(&mut self, pid: Pid) {
        let now = self.now();
        self.trace.note(now, pid, "crash", b"", || "");
        self.end(pid, Condition::Crashed);
    }

    /// Switches the host of a process off, with all that runs there. Nobody is told.
    pub fn crash_host(&mut self, pid: Pid) {
        let host = self.host(pid);
        let now = self.now();
        self.network.set_down(host, true);
        self.streams.end_host(host);
        let here = |process: &&Process| process.is_up() && process.launch.addr.ip() == host;
        let pids: Vec<Pid> = self
            .processes
            .iter()
            .filter(here)
            .map(|process| process.pid)
            .collect();
        for pid in pids {
            self.trace.note(now, pid, "crash host", b"", || "");
            self.end(pid, Condition::Crashed);
        }
    }

    /// Stops a process as a signal does: it neither reads nor wakes.
    pub fn pause(&mut self, pid: Pid) {
        let process = self.process_mut(pid);
        assert_eq!(
            process.condition,
            Condition::Running,
            "only a running process is paused"
        );
        process.condition = Condition::Paused;
    }

    /// Lets a paused process go on: what arrived meanwhile comes now, its timers come late, in
    /// either order.
    pub fn resume(&mut self, pid: Pid) {
        let now = self.now();
        let timer_first = self.dice.chance(0.5);
        let process = self.process_mut(pid);
        assert_eq!(
            process.condition,
            Condition::Paused,
            "only a paused process goes on"
        );
        process.condition = Condition::Running;
        let read = process.clock.read(now);
        let deadline = process.node.poll_timeout();
        if timer_first && deadline.is_some_and(|deadline| deadline.at <= read) {
            self.time_out(pid);
        }
        self.take_all(pid);
        if self.process_mut(pid).gate_opens_later() {
            self.unblock(pid);
        }
        self.arm(pid);
    }

    /// From now on every wake-up of a process comes too late by so much; what it receives it takes
    /// in time.
    pub fn slow_timers(&mut self, pid: Pid, lag: Duration) {
        self.set_lateness(pid, lag..lag, Range::default());
    }

    /// From now on a process gets too little of its CPU: whenever it should be woken, and whenever
    /// something arrives, it comes to it too late by a draw from `lag`; then it does all that waits
    /// for it, as a process does that was given its CPU at last. `0..0` ends it.
    pub fn starve(&mut self, pid: Pid, lag: Range<Duration>) {
        self.set_lateness(pid, lag.clone(), lag);
    }

    fn set_lateness(&mut self, pid: Pid, wakes: Range<Duration>, inputs: Range<Duration>) {
        let process = self.process_mut(pid);
        process.late = Lateness::new(wakes, inputs);
        process.wake = None;
        // Whatever was drawn before no longer counts.
        self.take_all(pid);
        self.arm(pid);
    }

    /// From now on all clocks of a process run so many millionths too fast; negative: too slow. At
    /// most 10,000 (1 %).
    pub fn set_clock_rate(&mut self, pid: Pid, ppm: i32) {
        let now = self.now();
        let process = self.process_mut(pid);
        if process.clock.change(ppm, now) {
            // What it was to be woken for comes at another time now.
            process.wake = None;
            self.arm(pid);
        }
    }

    /// Moves the wall clock of a process's host. Nodes live by another clock; the next one that
    /// starts there makes its instance from it.
    pub fn jump_wall_clock(&mut self, pid: Pid, jump: ClockJump) {
        let us = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let by = match jump {
            ClockJump::Ahead(by) => us(by),
            ClockJump::Back(by) => -us(by),
        };
        let offset = self.wall_jumps_us.entry(self.host(pid)).or_default();
        *offset = offset.saturating_add(by);
    }

    /// A middlebox on the way forgets the streams of a process: all that stand are reset, and both
    /// ends hear of it.
    pub fn reset_streams(&mut self, pid: Pid) {
        for (pid, input) in self.streams.reset(pid) {
            self.deliver(pid, input);
        }
    }

    /// Takes a process out of the world.
    pub(in crate::sim) fn end(&mut self, pid: Pid, condition: Condition) {
        self.changes += 1;
        self.settle_disk(pid);
        self.ledger.on_end(pid);
        let process = self.process_mut(pid);
        assert!(
            process.is_up(),
            "{} has not ended before",
            process.launch.name
        );
        process.condition = condition;
        process.inbox.clear();
        process.gate = None;
        let addr = process.launch.addr;
        self.listeners.remove(&addr);
        self.with_streams(|streams, medium| streams.end_process(pid, medium));
    }
}
