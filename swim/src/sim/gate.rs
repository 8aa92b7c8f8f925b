//! The anomaly of the Lifeguard paper (section V-A): a process whose messages stop just before they
//! are sent and just after they are received, while its timers run.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::cluster::Cluster;
use super::process::{Condition, Input, Pid};
use crate::node::{Action, StreamEnd};

/// What a blocked process holds.
#[derive(Debug, Default)]
pub(super) struct Gate {
    outgoing: VecDeque<Held>,
    incoming: VecDeque<Input>,
    /// Whether it opens as soon as the process goes on.
    pub(super) opens_later: bool,
}

/// What it would have sent.
#[derive(Debug)]
enum Held {
    Datagram { to: SocketAddr, bytes: Vec<u8> },
    Action(Action),
}

impl Gate {
    pub(super) fn hold_datagram(&mut self, to: SocketAddr, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        self.outgoing.push_back(Held::Datagram { to, bytes });
    }

    pub(super) fn hold_action(&mut self, action: Action) {
        self.outgoing.push_back(Held::Action(action));
    }

    pub(super) fn hold_input(&mut self, input: Input) {
        self.incoming.push_back(input);
    }
}

/// Whether an action sends a message; opening a stream is the kernel's.
pub(super) fn sends(action: &Action) -> bool {
    match action {
        Action::Send { .. } | Action::Close { .. } => true,
        Action::Connect { .. }
        | Action::Resolve { .. }
        | Action::Save { .. }
        | Action::KeepKeys { .. }
        | Action::Answered { .. }
        | Action::Stopped(_) => false,
    }
}

/// Whether an input is a message; what the kernel says of streams is none, but their end, which
/// comes after their last message.
pub(super) fn is_message(input: &Input) -> bool {
    match input {
        Input::Datagram { .. } | Input::Data { .. } | Input::Refused { .. } => true,
        Input::Closed { end, .. } => *end == StreamEnd::Closed,
        Input::Opened { .. }
        | Input::Connected { .. }
        | Input::Resolved { .. }
        | Input::Saved { .. }
        | Input::KeysKept { .. } => false,
    }
}

impl Cluster {
    /// From now on a process neither sends nor receives; its timers run. With `prober_too` its
    /// prober waits for what it has sent, as a thread does
    /// ([`Node::hold_prober`](crate::Node::hold_prober)).
    ///
    /// # Panics
    /// When it does not run or is blocked already.
    pub fn block(&mut self, pid: Pid, prober_too: bool) {
        let process = self.process_mut(pid);
        assert_eq!(
            process.condition,
            Condition::Running,
            "only a running process is blocked"
        );
        assert!(process.gate.is_none(), "it is not blocked yet");
        process.gate = Some(Gate::default());
        if prober_too {
            process.node.hold_prober();
        }
    }

    /// Lets everything go that a blocked process held, in its order; none when it is not blocked.
    /// A process that is paused does so when it goes on.
    pub fn unblock(&mut self, pid: Pid) {
        let process = self.process_mut(pid);
        if process.condition == Condition::Paused {
            if let Some(gate) = &mut process.gate {
                gate.opens_later = true;
            }
            return;
        }
        let Some(gate) = process.gate.take() else {
            return;
        };
        for held in gate.outgoing {
            match held {
                Held::Datagram { to, bytes } => self.transmit(pid, to, &bytes),
                Held::Action(action) => self.act(pid, action),
            }
        }
        if self.process(pid).condition == Condition::Running {
            // Late answers come to a prober that has given up.
            self.drive(pid, |node, now| node.release_prober(now));
        }
        // One message after the other: whoever is confirmed to be gone by the first is not saved by
        // the last, as it would be were all taken at once.
        for input in gate.incoming {
            self.deliver(pid, input);
            self.time_out_if_due(pid);
        }
    }

    /// Whether the messages of a process are held.
    pub fn is_blocked(&self, pid: Pid) -> bool {
        self.process(pid).gate.is_some()
    }
}

#[cfg(test)]
mod tests;
