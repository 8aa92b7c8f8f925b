use std::ffi::c_char;

use crate::failure::Status;
use crate::guard::{Error, export};
use crate::text::pointer;

export! {
    /// The number of what went wrong; `MUSTER_STATUS_NULL_ARGUMENT` for NULL.
    fn muster_error_status(error: Option<&Error>) -> Status_ {
        error.status
    }

    /// What happened, to what, and what to do next: a sentence for people. It belongs to the error.
    fn muster_error_message(error: Option<&Error>) -> *const c_char {
        error.message.as_ptr()
    }

    /// Of `MUSTER_STATUS_REFUSED`: the stable id of the problem, such as
    /// `urn:muster:problem:no-such-member`; else NULL. It belongs to the error.
    fn muster_error_problem(error: Option<&Error>) -> *const c_char {
        pointer(error.problem.as_ref())
    }

    /// Of `MUSTER_STATUS_REFUSED`: the HTTP status of the answer; else 0.
    fn muster_error_http_status(error: Option<&Error>) -> u16 {
        error.http_status
    }

    /// Frees an error. NULL is fine.
    fn muster_error_free(error: Option<Box<Error>>) -> () {
        drop(error);
    }

    /// A status in a few words; the text is constant. `status` is one of the constants.
    fn muster_status_text(status: i32) -> *const c_char {
        let known = Status::ALL.iter().find(|known| **known as i32 == status);
        known.map_or(c"unknown status", |known| known.words()).as_ptr()
    }

    /// The version of this library; the text is constant.
    fn muster_version() -> *const c_char {
        VERSION.as_ptr()
    }
}

/// A status as a value, not as what came of the call.
type Status_ = Status;

const VERSION: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes(),
) {
    Ok(version) => version,
    Err(_) => c"",
};
