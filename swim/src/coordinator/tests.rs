//! Tests of rosters, histories and cuts.
