//! The tidiness of the whole: what no compiler and no linter looks at.

mod docs;
mod files;
mod layout;
mod source;
