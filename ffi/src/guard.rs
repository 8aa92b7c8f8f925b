//! What every exported function passes: NULL, texts that are not UTF-8, and panics become statuses.
//!
//! [`export!`] is the only way to export a function: it takes each argument through [`Argument`],
//! so that none can be used unchecked, and runs the body where a panic ends.

#![allow(unsafe_code, reason = "what C calls is unsafe by nature")]

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use crate::failure::{Failure, Status};
use crate::text::{Text, borrowed};

/// What went wrong, for C to look at.
#[derive(Debug)]
pub struct Error {
    pub(crate) status: Status,
    pub(crate) message: Text,
    pub(crate) problem: Option<Text>,
    pub(crate) http_status: u16,
}

/// Where C wants a pointer to be put.
pub(crate) type Out<'a, T> = Option<&'a mut MaybeUninit<*mut T>>;

/// A place for a pointer that is there.
pub(crate) struct Place<'a, T>(&'a mut MaybeUninit<*mut T>);

/// A text, or NULL.
pub(crate) struct Given<'a> {
    name: &'static str,
    text: Option<&'a CStr>,
}

/// How an argument comes in.
pub(crate) trait Argument {
    type Checked;

    /// The argument as a function may use it.
    ///
    /// # Safety
    /// As the header says of the function: a pointer that is not NULL points to what it should, and
    /// that stays as it is during the call.
    unsafe fn check(self, name: &'static str) -> Result<Self::Checked, Failure>;
}

/// What a function gives that has no status, when there is nothing.
pub(crate) trait Nothing {
    const NOTHING: Self;
}

/// Defines exported functions. Those with a status get one more argument, where the error goes, and
/// a body that gives a `Result`; the others give a value and [`Nothing`] when an argument is NULL.
macro_rules! export {
    () => {};
    (
        $(#[$doc:meta])*
        fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> Status $body:block
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        ///
        /// `error` may be NULL; else it is set to NULL, or to an error that is to be freed with
        /// `muster_error_free`.
        ///
        /// # Safety
        /// As the file's head says of pointers.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            $($arg: $type,)*
            error: $crate::guard::Out<'_, $crate::guard::Error>,
        ) -> $crate::failure::Status {
            $crate::guard::with_status(error, || {
                // SAFETY: the caller's promise.
                $(let $arg = unsafe {
                    $crate::guard::Argument::check($arg, stringify!($arg))
                }?;)*
                $body
            })
        }
        $crate::guard::export! { $($rest)* }
    };
    (
        $(#[$doc:meta])*
        fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $out:ty $body:block
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As the file's head says of pointers.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type),*) -> $out {
            $crate::guard::with_value(|| {
                // SAFETY: the caller's promise.
                $(let $arg = unsafe {
                    $crate::guard::Argument::check($arg, stringify!($arg))
                }?;)*
                Ok($body)
            })
        }
        $crate::guard::export! { $($rest)* }
    };
}
pub(crate) use export;

/// Runs a body that can fail, and tells how it went.
pub(crate) fn with_status(
    error: Out<'_, Error>,
    body: impl FnOnce() -> Result<(), Failure>,
) -> Status {
    let result = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(_) => Err(Failure::new(
            Status::Panic,
            "a mistake inside of libmuster: free the handle, go on, and please report it",
        )),
    };
    let status = result
        .as_ref()
        .err()
        .map_or(Status::Ok, |failure| failure.status);
    if let Some(error) = error {
        let failed = result.err().filter(|_| !is_no_error(status));
        let made = failed.map(|failure| Box::into_raw(Box::new(Error::new(failure))));
        error.write(made.unwrap_or(ptr::null_mut()));
    }
    status
}

/// Whether it only says to call again: those who poll would free an error each time.
fn is_no_error(status: Status) -> bool {
    matches!(
        status,
        Status::Ok | Status::Again | Status::Timeout | Status::Interrupted
    )
}

/// Runs a body that cannot fail but for its arguments.
pub(crate) fn with_value<T: Nothing>(body: impl FnOnce() -> Result<T, Failure>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(_)) | Err(_) => T::NOTHING,
    }
}

impl Error {
    fn new(failure: Failure) -> Error {
        let problem = failure.problem.as_ref();
        Error {
            status: failure.status,
            problem: problem.map(|problem| Text::new(&*problem.kind)),
            http_status: problem.map_or(0, |problem| problem.http_status),
            message: Text::new(failure.message),
        }
    }
}

impl<T> Place<'_, T> {
    /// Gives what was made to C, which frees it.
    pub(crate) fn put(self, made: T) {
        self.0.write(Box::into_raw(Box::new(made)));
    }
}

impl<'a> Given<'a> {
    pub(crate) fn required(self) -> Result<&'a str, Failure> {
        let name = self.name;
        self.optional()?.ok_or_else(|| Failure::null(name))
    }

    pub(crate) fn optional(self) -> Result<Option<&'a str>, Failure> {
        let text = self.text.map(CStr::to_str).transpose();
        text.map_err(|_| Failure::not_utf8(self.name))
    }
}

/// What belongs to a handle, for C to look at.
pub(crate) fn lent<T>(part: Option<&T>) -> *const T {
    part.map_or(ptr::null(), ptr::from_ref)
}

/// What C knows only by its name.
pub(crate) trait Opaque {}

impl<'a, T: Opaque> Argument for Option<&'a T> {
    type Checked = &'a T;

    unsafe fn check(self, name: &'static str) -> Result<&'a T, Failure> {
        self.ok_or_else(|| Failure::null(name))
    }
}

impl<'a, T> Argument for Option<&'a mut MaybeUninit<*mut T>> {
    type Checked = Place<'a, T>;

    unsafe fn check(self, name: &'static str) -> Result<Place<'a, T>, Failure> {
        let place = self.ok_or_else(|| Failure::null(name))?;
        // So that what is freed after an error is nothing.
        place.write(ptr::null_mut());
        Ok(Place(place))
    }
}

/// To be freed: NULL is nothing to free.
impl<T: Opaque> Argument for Option<Box<T>> {
    type Checked = Option<Box<T>>;

    unsafe fn check(self, _: &'static str) -> Result<Option<Box<T>>, Failure> {
        Ok(self)
    }
}

impl Argument for *const c_char {
    type Checked = Given<'static>;

    unsafe fn check(self, name: &'static str) -> Result<Given<'static>, Failure> {
        // SAFETY: the caller's promise; no function keeps it beyond its call.
        let text = unsafe { borrowed(self) };
        Ok(Given { name, text })
    }
}

macro_rules! plain {
    ($($type:ty = $nothing:expr),* $(,)?) => {
        $(impl Argument for $type {
            type Checked = $type;

            unsafe fn check(self, _: &'static str) -> Result<$type, Failure> {
                Ok(self)
            }
        }

        impl Nothing for $type {
            const NOTHING: $type = $nothing;
        })*
    };
}
plain! { i32 = -1, i64 = -1, u16 = 0, u64 = 0, usize = 0, bool = false, () = () }

impl<T> Nothing for *const T {
    const NOTHING: *const T = ptr::null();
}

impl Argument for Status {
    type Checked = Status;

    unsafe fn check(self, _: &'static str) -> Result<Status, Failure> {
        Ok(self)
    }
}
