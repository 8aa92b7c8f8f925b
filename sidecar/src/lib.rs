//! The sidecar `muster`.
