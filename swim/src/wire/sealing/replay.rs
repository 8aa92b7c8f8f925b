//! Which datagrams of a sender were heard already, and which letters of a voter.

use std::collections::BTreeMap;

use crate::limits;
use crate::members::{Instance, NameHash};

/// Which process of it: drawn at random when that began.
pub(super) type Life = [u8; 8];

/// Datagrams that may come so much later than a newer one of their sender.
const WIDTH: u64 = 128;

/// What was heard of one process (RFC 4303, section 3.4.3).
#[derive(Clone, Copy, Debug)]
struct Window {
    life: Life,
    instance: Instance,
    top: u64,
    /// Bit `n`: `top - n` was heard.
    heard: u128,
}

/// The windows of all senders. Of each two lives are kept, as two members may share a name for a
/// while, until the older one has learned of it.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    of: BTreeMap<NameHash, [Option<Window>; 2]>,
}

impl Window {
    fn is_new(&self, counter: u64) -> bool {
        match self.top.checked_sub(counter) {
            None => true,
            Some(back) => back < WIDTH && self.heard & (1 << back) == 0,
        }
    }

    fn hear(&mut self, counter: u64) {
        match counter.checked_sub(self.top) {
            Some(ahead) => {
                self.heard = if ahead < WIDTH {
                    self.heard << ahead | 1
                } else {
                    1
                };
                self.top = counter;
            }
            None => self.heard |= 1 << (self.top - counter).min(WIDTH - 1),
        }
    }
}

impl Windows {
    /// Whether a datagram may be news, as far as can be told before it is opened.
    pub(super) fn may_be_new(&self, sender: NameHash, life: Life, counter: u64) -> bool {
        let windows = self.of.get(&sender).into_iter().flatten().flatten();
        let mut same = windows.filter(|window| window.life == life);
        same.next().is_none_or(|window| window.is_new(counter))
    }

    /// Takes note of a datagram that was opened, of a sender whose life `current` is known from
    /// elsewhere, if it is; false when it was heard before, too many newer ones were, or it is the
    /// first of a life before one that is known. Such a one was recorded, or a newer member has its
    /// name: that it hears from those that knew it, or on a stream. Only of a sender that is not
    /// known from elsewhere do the windows tell, which never forget, and which others could fill.
    pub(crate) fn hear(
        &mut self,
        sender: NameHash,
        life: Life,
        (instance, current): (Instance, Option<Instance>),
        counter: u64,
    ) -> bool {
        if self.of.len() >= limits::SENDERS && !self.of.contains_key(&sender) {
            self.forget_one(sender);
        }
        let windows = self.of.entry(sender).or_default();
        let known = windows
            .iter_mut()
            .flatten()
            .find(|window| window.life == life);
        if let Some(window) = known {
            let is_new = window.is_new(counter);
            if is_new {
                window.instance = window.instance.max(instance);
                window.hear(counter);
            }
            return is_new;
        }
        let lives = windows.iter().flatten().map(|window| window.instance);
        if current
            .or(lives.max())
            .is_some_and(|known| known > instance)
        {
            return false;
        }
        // The older one gives way, and never that of the life that is known.
        let is_known = |window: &Window| Some(window.instance) == current;
        windows.sort_by_key(|window| window.map(|window| (is_known(&window), window.instance)));
        windows[0] = Some(Window {
            life,
            instance,
            top: counter,
            heard: 1,
        });
        true
    }

    /// Makes room for a sender. Only somebody who has the key can have invented so many, and need
    /// not replay anything; were the new one refused, no newcomer would be heard any more.
    fn forget_one(&mut self, sender: NameHash) {
        let next = self
            .of
            .range(sender..)
            .next()
            .or_else(|| self.of.iter().next());
        if let Some(next) = next.map(|(next, _)| *next) {
            self.of.remove(&next);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    use super::*;

    fn heard(windows: &mut Windows, life: u8, instance: u64, counter: u64) -> bool {
        let (life, instance) = ([life; 8], Instance(instance));
        let one = NameHash::of("n1");
        let may_be_new = windows.may_be_new(one, life, counter);
        let heard = windows.hear(one, life, (instance, None), counter);
        assert!(may_be_new || !heard, "what is said before holds");
        heard
    }

    #[test]
    fn each_is_heard_once_and_in_any_order() {
        let mut windows = Windows::default();
        for counter in [5, 7, 6, 1, 200, 199, 73] {
            assert!(heard(&mut windows, 1, 1, counter), "{counter}");
            assert!(!heard(&mut windows, 1, 1, counter), "{counter} again");
        }
        assert!(!heard(&mut windows, 1, 1, 72), "too old to tell");
    }

    /// One is enough: whoever speaks in an older life for the first time was recorded in it.
    #[test]
    fn an_older_life_than_a_known_one_is_a_replay() {
        let mut windows = Windows::default();
        assert!(heard(&mut windows, 2, 20, 1));
        assert!(!heard(&mut windows, 1, 10, 100));
        assert!(!heard(&mut windows, 1, 19, 101));
        assert!(heard(&mut windows, 3, 20, 1), "two began at one instant");
        // Of some the life is known, and no process was heard.
        let mut hear = |life: u8, current| {
            let lives = (Instance(10), Some(Instance(current)));
            windows.hear(NameHash::of("n2"), [life; 8], lives, 1)
        };
        assert!(!hear(1, 11));
        assert!(hear(1, 10));
        assert!(hear(2, 9), "a restart that is not known yet");
    }

    /// Others can say that a sender is in any life: none of that keeps out the one that is known.
    #[test]
    fn a_life_that_is_known_is_heard_whatever_was_said() {
        let mut windows = Windows::default();
        let name = NameHash::of("n1");
        let mut hear = |life: u8, instance: u64, counter: u64| {
            let lives = (Instance(instance), Some(Instance(10)));
            windows.hear(name, [life; 8], lives, counter)
        };
        assert!(hear(1, 10, 1));
        for (life, instance) in [(2, 1 << 52), (3, 1 << 53), (4, 11)] {
            assert!(hear(life, instance, 1));
        }
        assert!(hear(1, 10, 2), "its window is kept");
        assert!(!hear(1, 10, 1), "with what was heard");
        assert!(hear(5, 10, 1), "its next process is heard");
    }

    #[test]
    fn two_lives_are_kept_and_older_ones_are_replays() {
        let mut windows = Windows::default();
        assert!(heard(&mut windows, 1, 10, 100));
        assert!(heard(&mut windows, 2, 20, 1), "a restart counts from anew");
        assert!(
            heard(&mut windows, 1, 10, 101),
            "the older one still speaks"
        );
        assert!(heard(&mut windows, 3, 30, 1));
        assert!(!heard(&mut windows, 1, 10, 102), "two newer ones spoke");
        assert!(heard(&mut windows, 2, 20, 2));
    }

    /// Whoever has the key can invent senders: they take a bounded room, and nobody's place.
    #[test]
    fn however_many_senders_there_were_a_new_one_is_heard() {
        let mut windows = Windows::default();
        let (life, instance) = ([1; 8], Instance(1));
        for number in 0..limits::SENDERS as u64 + 1000 {
            let sender = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            let (sender, lives) = (NameHash::from(sender), (instance, None));
            assert!(windows.hear(sender, life, lives, 1), "{number}");
            assert!(!windows.hear(sender, life, lives, 1), "{number} again");
            assert!(windows.of.len() <= limits::SENDERS);
        }
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_the_last(counters in prop::collection::vec(0u64..600, 1..200)) {
            let mut windows = Windows::default();
            let mut known = BTreeSet::new();
            for counter in counters {
                let top = known.last().copied().unwrap_or(0);
                let new = !known.contains(&counter) && (counter + WIDTH > top);
                prop_assert_eq!(heard(&mut windows, 1, 1, counter), new);
                if new {
                    known.insert(counter);
                }
            }
        }
    }
}
