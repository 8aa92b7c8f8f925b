use super::*;

#[test]
fn topics_draw_apart_and_the_same_again() {
    let first = |seed, topic| Dice::of_topic(seed, topic).seed();
    assert_eq!(first(1, "crash"), first(1, "crash"));
    let all = [
        first(1, "crash"),
        first(1, "pause"),
        first(2, "crash"),
        Dice::new(1).seed(),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[at + 1..].contains(one), "{all:?}");
    }
}

#[test]
fn what_cannot_happen_draws_nothing() {
    let mut dice = Dice::new(1);
    assert!(!dice.chance(0.0));
    let moment = Duration::from_millis(3);
    assert_eq!(dice.duration(&(moment..moment)), moment);
    assert_eq!(dice.seed(), Dice::new(1).seed());
}
