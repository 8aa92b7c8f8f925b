//! libmuster: the client of an agent's local socket, and a member inside of the calling program,
//! for C. What C sees is in `exports`; the header `include/muster.h` is generated from it.
//!
//! The only crate with unsafe code. It is in three places: the guard that every exported function
//! passes (`guard`), the functions themselves (a pointer that C gave), and the strings that they
//! give out (`text`).

mod agent;
mod attached;
mod client;
mod connection;
mod document;
mod exports;
mod failure;
mod guard;
mod http;
mod origin;
mod stream;
mod text;
