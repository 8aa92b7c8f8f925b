//! Members: who they are, what is said of them, what this node holds.

mod digest;
mod name;
mod statement;
mod table;
mod tags;

#[cfg(test)]
mod tests;

pub(crate) use digest::bucket;
pub(crate) use name::check as check_name;
pub use name::{Name, NameError};
pub use statement::{Incarnation, Instance, Rank, Record, Statement, Status, precedence};
pub(crate) use table::{Member, Merge, Table};
pub use tags::{TagError, Tags};
