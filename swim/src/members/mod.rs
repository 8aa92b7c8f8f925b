//! Members: who they are, what is said of them, what this node holds.

mod addresses;
mod apps;
mod digest;
mod name;
mod order;
mod records;
mod statement;
mod table;
mod tags;

#[cfg(test)]
mod tests;

pub(crate) use apps::AppTurn;
pub use apps::{App, AppError, AppHealth, AppState, Apps, Attachment, Ending};
#[cfg(test)]
pub(crate) use digest::bucket;
pub use name::{Name, NameError};
pub(crate) use name::{NameHash, NameRef, check as check_name};
pub(crate) use records::Records;
pub(crate) use statement::RecordRef;
pub use statement::{Incarnation, Instance, Rank, Record, Statement, Status, precedence};
pub(crate) use table::{Member, MemberId, Merge, Table};
pub use tags::{TagError, Tags};
#[cfg(test)]
pub(crate) use tests::{fullest_apps, some_apps};
