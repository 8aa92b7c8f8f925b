//! Where the records come from that a table holds.

use std::sync::Arc;
#[cfg(feature = "sim")]
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "sim")]
use hashbrown::HashMap;

#[cfg(feature = "sim")]
use super::Name;
use super::{Record, RecordRef};

/// Makes records of what was told. Nodes of one simulation may share it: then all that heard the
/// same of a member hold one and the same record, which is most of what a table weighs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    #[cfg(feature = "sim")]
    shared: Option<Arc<Mutex<Last>>>,
}

/// The last record made of each member.
#[cfg(feature = "sim")]
type Last = HashMap<Name, Arc<Record>>;

impl Records {
    /// One that is shared by all its clones.
    #[cfg(feature = "sim")]
    pub(crate) fn shared() -> Records {
        Records {
            shared: Some(Arc::default()),
        }
    }

    /// The record that says what was told.
    pub(crate) fn of(&self, told: &RecordRef<'_>) -> Arc<Record> {
        #[cfg(feature = "sim")]
        if let Some(shared) = &self.shared {
            // Nothing that holds the lock can panic half-way.
            let mut last = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(record) = last.get(told.name.as_str())
                && told.says(record)
            {
                return Arc::clone(record);
            }
            let record = Arc::new(told.to_record());
            last.insert(record.name.clone(), Arc::clone(&record));
            return record;
        }
        Arc::new(told.to_record())
    }
}
