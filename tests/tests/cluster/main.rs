//! Thirty real sidecars, each on a host of its own, through what networks and machines do to them;
//! and smaller clusters, through what can happen to those who decide.
//!
//! Every deadline is generous: it says that something happens at all, the benches say how soon.

mod apps;
mod coordinator;
mod crash;
mod curl;
mod cut;
mod doctor;
mod forming;
mod fresh;
mod growth;
mod harness;
mod keys;
mod leave;
mod links;
mod load;
mod loss;
mod memory;
mod operate;
mod pause;
mod quorum;
mod restart;
mod voters;

use std::time::Duration;

/// For what takes seconds on an idle machine.
const SOON: Duration = Duration::from_secs(60);

/// For what takes a few rounds of low-rate contacts.
const PATIENT: Duration = Duration::from_secs(150);
