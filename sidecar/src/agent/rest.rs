//! Where the thread of the agent rests: one system call waits for datagrams, for the deadline of
//! the node, and for whoever wakes the thread.
//!
//! smol's reactor could do that too, but it has a thread of its own that takes turns with this one:
//! for each datagram both woke up, several times. What is rare stays there: streams, the local
//! socket, signals, time limits.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

/// Notices that are taken at once.
const NOTICES: usize = 8;

/// The number of the alarm; those of posts follow.
const ALARM: u64 = 0;

/// The resting place of one thread.
#[derive(Debug)]
pub(super) struct Rest {
    epoll: OwnedFd,
    alarm: Arc<Alarm>,
    posts: RefCell<Vec<Weak<Post>>>,
}

/// A socket and a deadline that the thread waits for.
#[derive(Debug)]
pub(super) struct Post {
    socket: UdpSocket,
    /// There may be datagrams.
    readable: Cell<bool>,
    /// There may be words in the error queue.
    troubled: Cell<bool>,
    deadline: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

/// Wakes the thread.
#[derive(Debug)]
struct Alarm {
    bell: OwnedFd,
    rung: AtomicBool,
    resting: AtomicBool,
}

impl Rest {
    pub(super) fn new() -> io::Result<Rest> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Told once for each time that it rings, so nobody need read it.
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &bell, EventData::new_u64(ALARM), flags)?;
        let alarm = Arc::new(Alarm {
            bell,
            rung: AtomicBool::new(false),
            resting: AtomicBool::new(false),
        });
        Ok(Rest {
            epoll,
            alarm,
            posts: RefCell::default(),
        })
    }

    /// Waits for this socket too, as long as the post is held.
    pub(super) fn watch(&self, socket: UdpSocket) -> io::Result<Rc<Post>> {
        let mut posts = self.posts.borrow_mut();
        let number = ALARM + 1 + posts.len() as u64;
        epoll::add(
            &self.epoll,
            &socket,
            EventData::new_u64(number),
            EventFlags::IN,
        )?;
        let post = Rc::new(Post {
            socket,
            // What came before is not known.
            readable: Cell::new(true),
            troubled: Cell::new(true),
            deadline: Cell::default(),
            waker: RefCell::default(),
        });
        posts.push(Rc::downgrade(&post));
        Ok(post)
    }

    /// Runs a future on this thread.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let waker = Waker::from(Arc::clone(&self.alarm));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            self.alarm.rung.store(false, Ordering::SeqCst);
            if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                return result;
            }
            self.wait();
        }
    }

    /// Rests until something is to be done; looks at the sockets in any case.
    fn wait(&self) {
        let mut notices = [Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(ALARM),
        }; NOTICES];
        self.alarm.resting.store(true, Ordering::SeqCst);
        let timeout = self.timeout();
        // What fails is tried again: the sockets show their own errors when they are read.
        let count = epoll::wait(&self.epoll, &mut notices[..], timeout.as_ref()).unwrap_or(0);
        self.alarm.resting.store(false, Ordering::SeqCst);
        let posts = self.posts.borrow();
        for Event { flags, data } in notices.into_iter().take(count) {
            let post = data.u64().checked_sub(ALARM + 1);
            let post = post.and_then(|at| posts.get(usize::try_from(at).ok()?)?.upgrade());
            if let Some(post) = post {
                post.readable.set(true);
                if flags.contains(EventFlags::ERR) {
                    post.troubled.set(true);
                }
                post.wake();
            }
        }
        let due = |post: &Rc<Post>| post.deadline.get().is_some_and(|at| at <= Instant::now());
        let due = posts.iter().filter_map(Weak::upgrade).filter(due);
        due.for_each(|post| post.wake());
    }

    /// How long to rest; `None`: until something happens.
    fn timeout(&self) -> Option<Timespec> {
        if self.alarm.rung.load(Ordering::SeqCst) {
            return Some(Timespec::default());
        }
        let posts = self.posts.borrow();
        let deadlines = posts.iter().filter_map(Weak::upgrade);
        let first = deadlines.filter_map(|post| post.deadline.get()).min()?;
        let ahead = first.saturating_duration_since(Instant::now());
        // Beyond what the system can wait for, nothing else happening, is never.
        Timespec::try_from(ahead).ok()
    }
}

impl Post {
    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Ready when there may be a datagram or a word in the error queue. Pending: the task is woken
    /// then, and when the deadline comes.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if self.readable.get() {
            return Poll::Ready(());
        }
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(known) => known.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// When to wake the task that polls.
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }

    /// The socket has no more datagrams: the next one is told.
    pub(super) fn is_read(&self) {
        self.readable.set(false);
    }

    /// Whether the error queue may hold a word; true once for each notice.
    pub(super) fn take_trouble(&self) -> bool {
        self.troubled.take()
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::SeqCst) && self.resting.load(Ordering::SeqCst) {
            // It cannot be full: nobody lives to ring it so often.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn socket() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_nonblocking(true).expect("it can be set");
        socket
    }

    #[test]
    fn a_datagram_a_deadline_and_a_waker_of_another_thread_each_end_the_rest() {
        let rest = Rest::new().expect("descriptors are there");
        let post = rest.watch(socket()).expect("it can be watched");
        let to = post.socket().local_addr().expect("bound");
        post.is_read();
        let peer = thread::spawn(move || socket().send_to(b"ping", to).expect("sent"));
        rest.block_on(poll_fn(|context| post.poll(context)));
        assert_eq!(peer.join().expect("it ends"), 4);
        assert_eq!(post.socket().recv(&mut [0; 8]).expect("it is there"), 4);
        post.is_read();

        let at = Instant::now() + Duration::from_millis(20);
        post.set_deadline(Some(at));
        rest.block_on(poll_fn(|context| match Instant::now() >= at {
            true => Poll::Ready(()),
            false => post.poll(context),
        }));
        post.set_deadline(None);

        let (sender, receiver) = smol::channel::bounded(1);
        let other = thread::spawn(move || sender.send_blocking(5));
        assert_eq!(rest.block_on(receiver.recv()), Ok(5));
        other.join().expect("it ends").expect("taken");
    }

    #[test]
    fn a_task_that_always_goes_on_does_not_keep_datagrams_from_being_seen() {
        let rest = Rest::new().expect("descriptors are there");
        let post = rest.watch(socket()).expect("it can be watched");
        post.is_read();
        let to = post.socket().local_addr().expect("bound");
        socket().send_to(b"ping", to).expect("sent");
        rest.block_on(poll_fn(|context| {
            context.waker().wake_by_ref();
            post.poll(context)
        }));
    }
}
