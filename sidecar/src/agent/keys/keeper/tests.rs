use std::fs;

use muster_swim::Key;

use super::super::render;
use super::*;

fn ring(numbers: &[u8], generation: u64) -> Keyring {
    let keys = numbers.iter().map(|number| (Key::new([*number; 32]), None));
    Keyring::new(generation, keys.collect()).expect("a ring")
}

struct World {
    folder: tempfile::TempDir,
    clock: Clock,
    keeper: Keeper,
}

impl World {
    fn new() -> World {
        let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::start());
        let keeper = Keeper::default();
        let world = World {
            folder,
            clock,
            keeper,
        };
        world.edit(&ring(&[1], 1));
        world
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// What an operator does.
    fn edit(&self, ring: &Keyring) {
        replace(&self.path(), &render(ring, &self.clock)).expect("it is ours");
    }

    fn load(&mut self) -> u64 {
        let path = self.path();
        let taken = self.keeper.load(Some(&path), &self.clock);
        taken.expect("it is right").reading
    }

    fn keep(&mut self, ring: &Keyring, reading: u64) -> Result<(), NotKept> {
        let keep = Keep {
            ticket: KeyTicket(1),
            path: Some(self.path()),
            text: render(ring, &self.clock),
            generation: ring.generation(),
            primary: ring.primary(),
            reading,
        };
        self.keeper.keep(&keep)
    }

    fn found(&self) -> Keyring {
        super::super::read(&self.path(), &self.clock).expect("it is right")
    }
}

#[test]
fn rings_are_written_one_after_the_other() {
    let mut world = World::new();
    let reading = world.load();
    for generation in 2..=3 {
        let next = ring(&[1, 2], generation);
        world.keep(&next, reading).expect("nobody was there");
        assert_eq!(world.found(), next);
    }
    assert_eq!(world.load(), reading, "it is what was written");
    fs::remove_file(world.path()).expect("it is there");
    world.keep(&ring(&[1], 4), reading).expect("it is missing");
}

/// Two agents may have one file: what the other kept is no edit.
#[test]
fn what_another_agent_kept_in_the_same_file_is_kept() {
    let mut world = World::new();
    let reading = world.load();
    let next = ring(&[1, 2], 2);
    world.edit(&next);
    world.keep(&next, reading).expect("it says the same");
    assert_eq!(world.found(), next);
    world.keep(&ring(&[2, 1], 3), reading).expect("it goes on");
}

#[test]
fn what_an_operator_wrote_is_not_overwritten_before_it_is_taken() {
    let mut world = World::new();
    let before = world.load();
    let edited = ring(&[1, 9], 1);
    world.edit(&edited);
    let refused = world.keep(&ring(&[1, 2], 2), before);
    assert!(matches!(refused, Err(NotKept::Edited)), "{refused:?}");
    let after = world.load();
    // The ring was made before the node had heard of the edit.
    let refused = world.keep(&ring(&[1, 2], 2), before);
    assert!(matches!(refused, Err(NotKept::Edited)), "{refused:?}");
    assert_eq!(world.found(), edited);
    let next = ring(&[1, 9, 2], 2);
    world.keep(&next, after).expect("the edit was taken");
    assert_eq!(world.found(), next);
}

#[test]
fn a_file_with_a_mistake_is_left_to_be_corrected() {
    let mut world = World::new();
    let reading = world.load();
    fs::write(world.path(), "half a k").expect("it is ours");
    let path = world.path();
    assert!(world.keeper.load(Some(&path), &world.clock).is_err());
    let refused = world.keep(&ring(&[1, 2], 2), reading);
    assert!(matches!(refused, Err(NotKept::Edited)), "{refused:?}");
    let text = fs::read_to_string(world.path()).expect("it is ours");
    assert_eq!(text, "half a k");
}
