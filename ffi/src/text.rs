//! Strings that C may look at: they belong to a handle and live as long as it.

#![allow(unsafe_code, reason = "C's texts are pointers")]

use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// A text for C; what cannot be one (it has a zero byte) is cut there.
#[derive(Debug, Default)]
pub(crate) struct Text(CString);

impl Text {
    pub(crate) fn new(text: impl Into<Vec<u8>>) -> Text {
        let mut bytes = text.into();
        if let Some(end) = bytes.iter().position(|&byte| byte == 0) {
            bytes.truncate(end);
        }
        Text(CString::new(bytes).unwrap_or_default())
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr()
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_bytes().len()
    }
}

/// The pointer to a text that may be missing.
pub(crate) fn pointer(text: Option<&Text>) -> *const c_char {
    text.map_or(ptr::null(), Text::as_ptr)
}

/// A text that C gave.
///
/// # Safety
/// NULL, or the start of a text that ends with a zero byte and stays as it is for `'a`.
pub(crate) unsafe fn borrowed<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: it is not NULL; the rest is the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}
