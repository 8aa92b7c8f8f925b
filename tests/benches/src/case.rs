//! What is measured, whoever does it.

/// Work that is measured again and again.
pub trait Case {
    /// Makes what the next run needs. Not measured.
    fn prepare(&mut self);

    /// The measured part.
    fn run(&mut self);

    /// How many operations one run is.
    fn operations(&self) -> usize;

    /// Updates in one operation, where it is a datagram.
    fn updates(&self) -> usize {
        0
    }

    /// Panics unless all that was run did what it is named after.
    fn check(&self) {}
}

/// A datagram, or two of which the second follows on the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A ping of a known member; nobody has any news.
    Ping,
    /// A ping of a known member, answered with as much fresh news as fits.
    Asked,
    /// As many updates as fit, all of them known.
    Known,
    /// As many updates as fit, each a newer incarnation of a known member.
    Newer,
    /// As many updates as fit, each about a member that was not known.
    Joiners,
    /// A new life of a known member, then its goodbye: on the rings and off them again.
    ComeAndGo,
}

impl Input {
    /// All of them.
    pub const ALL: [Input; 6] = [
        Input::Ping,
        Input::Asked,
        Input::Known,
        Input::Newer,
        Input::Joiners,
        Input::ComeAndGo,
    ];

    /// Words for a table.
    pub fn as_str(self) -> &'static str {
        match self {
            Input::Ping => "ping and its ack",
            Input::Asked => "ping, its ack full of news",
            Input::Known => "gossip, known",
            Input::Newer => "gossip, newer incarnations",
            Input::Joiners => "gossip, new members",
            Input::ComeAndGo => "a member comes and goes",
        }
    }

    /// How many of them one run takes: few where each changes the receiver.
    fn batch(self) -> usize {
        match self {
            Input::Ping => 128,
            Input::Asked => FILLED,
            Input::Known => 16,
            Input::Newer => 8,
            Input::Joiners => 1,
            Input::ComeAndGo => 16,
        }
    }
}

/// Acks that a small cluster's news can fill before it was passed on often enough.
const FILLED: usize = 4;

/// One member that receives, and whoever makes its input.
pub trait Receiver {
    /// A member of a cluster of `members` that knows all of them and has nothing to pass on.
    fn new(members: usize) -> Self;

    /// Fresh input, and the number of updates in it.
    fn input(&mut self, input: Input) -> (Vec<Vec<u8>>, usize);

    /// Handles one datagram and takes all that comes of it.
    fn take(&mut self, datagram: &[u8]);

    /// Passes on all that is to be passed on.
    fn settle(&mut self);

    /// Begins anew with as many members as at first.
    fn renew(&mut self);

    /// Whether all input so far was taken for what it is.
    fn check(&self);
}

/// One kind of input handled by one receiver.
pub struct Handling<R> {
    receiver: R,
    input: Input,
    members: usize,
    batch: Vec<Vec<Vec<u8>>>,
    updates: usize,
    grown: usize,
}

impl<R: Receiver> Handling<R> {
    /// Among `members`.
    pub fn new(input: Input, members: usize) -> Handling<R> {
        Handling {
            receiver: R::new(members),
            input,
            members,
            batch: Vec::new(),
            updates: 0,
            grown: 0,
        }
    }
}

impl<R: Receiver> Case for Handling<R> {
    fn prepare(&mut self) {
        if self.grown > self.members / 10 {
            self.receiver.renew();
            self.grown = 0;
        }
        self.receiver.settle();
        self.batch.clear();
        if self.input == Input::Asked {
            for _ in 0..FILLED {
                let (datagrams, updates) = self.receiver.input(Input::Newer);
                datagrams
                    .iter()
                    .for_each(|datagram| self.receiver.take(datagram));
                self.updates = updates;
            }
        }
        for _ in 0..self.input.batch() {
            let (datagrams, updates) = self.receiver.input(self.input);
            self.updates = self.updates.max(updates);
            self.batch.push(datagrams);
        }
    }

    fn run(&mut self) {
        for datagram in self.batch.iter().flatten() {
            self.receiver.take(datagram);
        }
        if self.input == Input::Joiners {
            self.grown += self.updates;
        }
    }

    fn operations(&self) -> usize {
        self.input.batch()
    }

    fn updates(&self) -> usize {
        self.updates
    }

    fn check(&self) {
        self.receiver.check();
    }
}
