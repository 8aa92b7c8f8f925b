//! Saves on a thread of its own: a disk may take its time, and the protocol never waits for it.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use muster_swim::{SaveTicket, Write};
use smol::Timer;
use smol::channel::{self, Sender};
use smol::future::or;

use super::{Store, StoreFigures};
use crate::agent::input::Input;

/// Saves that may wait for the disk. A node with so many on their way gets no more answers from it
/// anyway: the disk hangs.
const ORDERS: usize = 1024;

/// How long the end of the agent waits for the last saves.
const CLOSE: Duration = Duration::from_secs(2);

/// The thread that saves.
pub(in crate::agent) struct Writer {
    orders: SyncSender<Order>,
    ended: channel::Receiver<()>,
    figures: StoreFigures,
}

struct Order {
    ticket: SaveTicket,
    writes: Vec<Write>,
}

impl Writer {
    /// Starts the thread. Every save is answered as [`Input::Saved`], in their order.
    pub(in crate::agent) fn start(store: Store, inputs: Sender<Input>) -> io::Result<Writer> {
        let (orders, incoming) = sync_channel(ORDERS);
        let (end, ended) = channel::bounded(1);
        let figures = StoreFigures::of(store.file());
        let kept = figures.clone();
        let work = move || {
            save_all(&store, &incoming, &inputs, &kept);
            // The lock is free before anybody hears of the end.
            drop((store, end));
        };
        thread::Builder::new()
            .name("muster-memory".to_owned())
            .spawn(work)?;
        Ok(Writer {
            orders,
            ended,
            figures,
        })
    }

    /// What is known of the store, now and later.
    pub(in crate::agent) fn figures(&self) -> StoreFigures {
        self.figures.clone()
    }

    /// Hands a save to the thread; false when too many wait for the disk already.
    #[must_use]
    pub(in crate::agent) fn save(&self, ticket: SaveTicket, writes: Vec<Write>) -> bool {
        self.orders.try_send(Order { ticket, writes }).is_ok()
    }

    /// Waits until all is saved and the directory is free, for two seconds at most.
    pub(in crate::agent) async fn close(self) {
        drop(self.orders);
        let end = async {
            // Nothing is ever sent: the end of the channel is the message.
            let _ = self.ended.recv().await;
        };
        let late = async {
            Timer::after(CLOSE).await;
        };
        or(end, late).await;
    }
}

/// What waits together is saved together: one slow disk is asked once for all.
fn save_all(
    store: &Store,
    incoming: &Receiver<Order>,
    inputs: &Sender<Input>,
    figures: &StoreFigures,
) {
    let mut failure: Option<String> = None;
    while let Ok(first) = incoming.recv() {
        let rest = incoming.try_iter().take(ORDERS);
        let orders: Vec<Order> = std::iter::once(first).chain(rest).collect();
        // A store that failed once is not tried again: what it holds is not known.
        if failure.is_none() {
            let start = Instant::now();
            let saved = store.save(orders.iter().flat_map(|order| &order.writes));
            figures.saves.observe(start.elapsed().as_secs_f64());
            failure = saved.err().map(|error| error.to_string());
        }
        for order in orders {
            let outcome = match &failure {
                None => Ok(()),
                Some(error) => Err(format!("{}: {error}", store.dir().display())),
            };
            // An agent that ends takes no more answers, but the rest is saved all the same.
            let _ = inputs.send_blocking(Input::Saved(order.ticket, outcome));
        }
    }
}
