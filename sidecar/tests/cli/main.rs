//! The built binary as people use it: `muster dev`, the listings, `watch`, and what they say when
//! something is missing.

mod attach;
mod commands;
mod dev;
mod harness;
mod keys;
mod killed;
mod memory;
mod screen;
mod simulate;
mod watch;
