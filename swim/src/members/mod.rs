//! Members: who they are, what is said of them, what this node holds.

mod name;
mod statement;
mod tags;

pub use name::{Name, NameError};
pub use statement::{Incarnation, Instance, Rank, Record, Statement, Status, precedence};
pub use tags::{TagError, Tags};
