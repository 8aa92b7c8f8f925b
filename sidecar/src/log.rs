//! Log lines on stdout.
