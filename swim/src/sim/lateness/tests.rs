use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn asking_twice_does_not_make_a_wake_up_sooner() {
    let mut dice = Dice::new(1);
    let mut late = Lateness::new(SECOND..SECOND * 9, Range::default());
    let (one, other) = (Time::ZERO, Time::ZERO + SECOND);
    let drawn = late.of_wake(one, &mut dice);
    assert!((SECOND..SECOND * 9).contains(&drawn));
    assert!((0..100).all(|_| late.of_wake(one, &mut dice) == drawn));
    assert_ne!(late.of_wake(other, &mut dice), drawn);
    assert!(late.spares_inputs());
}

#[test]
fn what_arrives_meanwhile_waits_for_the_same_turn() {
    let mut dice = Dice::new(1);
    let mut late = Lateness::new(Range::default(), SECOND..SECOND * 2);
    assert!(!late.spares_inputs());
    assert_eq!(late.of_wake(Time::ZERO, &mut dice), Duration::ZERO);
    let turn = late
        .next_turn(Time::ZERO, &mut dice)
        .expect("it is the first");
    assert!(turn >= Time::ZERO + SECOND && turn < Time::ZERO + SECOND * 2);
    assert_eq!(late.next_turn(Time::ZERO + SECOND, &mut dice), None);
    assert!(late.is_turn(turn) && !late.is_turn(Time::ZERO));
    late.end_turn();
    assert!(!late.is_turn(turn));
    assert!(late.next_turn(turn, &mut dice).is_some());
}
