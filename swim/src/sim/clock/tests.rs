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

#[test]
fn a_clock_goes_on_from_where_it_is_when_its_rate_changes() {
    let hours = |count: u64| Time::from_nanos(count * 3_600_000_000_000);
    let seconds = |count: u64| Time::from_nanos(count * 1_000_000_000);
    let mut clock = Clock::new(0);
    assert!(clock.change(10_000, hours(1)));
    assert!(!clock.change(10_000, hours(2)), "it runs so already");
    assert!(clock.change(-10_000, hours(2)));
    assert!(clock.change(0, hours(3)));
    for (world, read) in [
        (hours(1), hours(1)),
        (hours(2), seconds(7236)),
        (hours(3), seconds(10_800)),
        (hours(4), seconds(14_400)),
    ] {
        assert_eq!(clock.read(world), read);
        assert_eq!(clock.world(read), world);
    }
    let halves: Vec<Time> = (0..8)
        .map(|half| clock.read(Time::from_nanos(half * 1_800_000_000_000)))
        .collect();
    assert!(halves.is_sorted(), "{halves:?}");
}
