use super::*;

#[test]
fn a_clock_reads_what_it_was_asked_to_wait_for_and_not_a_moment_later() {
    for ppm in [-10_000, -9_999, -1, 0, 1, 3, 10_000] {
        let clock = Clock::new(ppm);
        for nanos in [
            0,
            1,
            2,
            99,
            1_000_003,
            777_777_777_777,
            31_536_000_000_000_000,
        ] {
            let read = Time::from_nanos(nanos);
            let world = clock.world(read);
            assert!(clock.read(world) >= read, "{ppm} {nanos}");
            if let Some(before) = world.as_nanos().checked_sub(1) {
                assert!(clock.read(Time::from_nanos(before)) < read, "{ppm} {nanos}");
            }
        }
    }
}

#[test]
fn a_clock_is_off_by_as_much_as_told() {
    let hour = Time::from_nanos(3_600_000_000_000);
    assert_eq!(Clock::new(10_000).read(hour).as_nanos(), 3_636_000_000_000);
    assert_eq!(Clock::new(-10_000).read(hour).as_nanos(), 3_564_000_000_000);
    assert_eq!(Clock::new(0).read(hour), hour);
}

#[test]
#[should_panic(expected = "at most 10000 millionths")]
fn no_clock_is_off_by_more_than_a_hundredth() {
    Clock::new(10_001);
}
