//! What the fuzz targets call (`tests/fuzz` of the source): any bytes are taken, and what must hold
//! of every input is asserted.
//!
//! A panic, an endless loop and an absurd allocation are findings; so is each assertion.

mod insider;
mod liar;
mod script;
mod steps;
mod wire;
mod world;

pub use crate::lies::Person;
pub use liar::Liar;
pub use steps::node;
pub use wire::{datagram, handshake, stream};
