//! What the core must not allocate. One test only: the counters are those of the whole process.

use std::alloc::System;

use muster_benches::case::{Case, Handling, Input};
use muster_benches::ours::Ours;
use muster_benches::pair::OurPair;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of some runs, after one in which buffers get their sizes.
fn allocations(case: &mut dyn Case) -> usize {
    case.prepare();
    case.run();
    let mut count = 0;
    for _ in 0..10 {
        case.prepare();
        let region = Region::new(COUNTING);
        case.run();
        let change = region.change();
        count += change.allocations + change.reallocations;
    }
    case.check();
    count
}

/// A quiet cluster stays as it is: neither its memory nor the time of its allocator may grow.
#[test]
fn a_ping_and_its_ack_allocate_nothing() {
    let mut answering = Handling::<Ours>::new(Input::Ping, 100);
    assert_eq!(allocations(&mut answering), 0, "by a member that is pinged");
    let mut exchanging = OurPair::new();
    assert_eq!(
        allocations(&mut exchanging),
        0,
        "by both ends, with all their timers"
    );
}
