//! The local socket as its clients see it: a real UNIX socket, and a small cluster behind it.

mod agreed;
mod apps;
mod bounds;
mod changing;
mod description;
mod http;
mod keys;
mod reading;
mod streaming;
mod waiting;
