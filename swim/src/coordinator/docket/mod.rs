#![allow(unused, missing_docs)]
use super::evidence::*;
use crate::config::Config;
use crate::event::Silence;
use crate::members::*;
use crate::time::Time;
use std::sync::Arc;
use std::time::Duration;
pub(crate) struct Report {
    pub subject: Name,
    pub instance: Instance,
    pub by: Name,
    pub silence: Silence,
    pub health: u8,
}
pub(crate) struct Summons {
    pub witnesses: Vec<Name>,
    pub voters: Vec<Name>,
    pub members: usize,
}
pub(crate) enum Order {
    Ask {
        witness: Name,
        subject: Name,
        instance: Instance,
    },
    Decide(Vec<Ruling>),
    Readmit {
        name: Name,
        instance: Instance,
    },
}
#[derive(Debug)]
pub(crate) enum Ruling {
    Convict {
        name: Name,
        instance: Instance,
        evidence: Arc<Evidence>,
    },
    Degrade {
        name: Name,
        instance: Instance,
        evidence: Arc<Evidence>,
    },
    Restore {
        name: Name,
        instance: Instance,
    },
}
#[derive(Debug)]
pub(crate) struct Docket;
impl Docket {
    pub(crate) fn new(config: &Config, me: &Name, now: Time) -> Docket {
        Docket
    }
    pub(crate) fn on_report(&mut self, report: Report, now: Time) -> bool {
        false
    }
    pub(crate) fn summon(&mut self, subject: &Name, summons: Summons, now: Time) {}
    pub(crate) fn on_testimony(
        &mut self,
        subject: &Name,
        instance: Instance,
        by: &Name,
        finding: Finding,
        health: u8,
        now: Time,
    ) {
    }
    pub(crate) fn on_refutation(&mut self, subject: &Name, now: Time) {}
    pub(crate) fn on_gone(&mut self, subject: &Name) {}
    pub(crate) fn on_removed(
        &mut self,
        subject: &Name,
        instance: Instance,
        removals: u8,
        now: Time,
    ) {
    }
    pub(crate) fn on_admitted(&mut self, name: &Name, now: Time) {}
    pub(crate) fn on_candidate(
        &mut self,
        name: &Name,
        instance: Instance,
        removals: u8,
        now: Time,
    ) {
    }
    pub(crate) fn handle_timeout(&mut self, now: Time) {}
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        None
    }
    pub(crate) fn poll_order(&mut self) -> Option<Order> {
        None
    }
    pub(crate) fn check_invariants(&self) {}
}
