//! Tests of the docket: tables of the pure rules, stories on virtual time, and a monkey.

mod accusing;
mod court;
mod cuts;
mod gray;
mod guard;
mod limits;
mod monkey;
mod readmitting;
mod silences;
mod weighing;
