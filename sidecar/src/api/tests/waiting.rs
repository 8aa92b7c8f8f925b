//! Requests that wait: they hold nobody up, and they end.

use muster_swim::Lifecycle;
use smol::future::yield_now;

use crate::api::testing::client::{Connection, ask, get, within};
use crate::api::testing::{World, stopper};

const WAITING: &str = "/v1/coordinator?wait=true";

/// Waits until so many requests wait.
async fn until_waiting(world: &World, count: usize) {
    within("requests that wait", async {
        while world.handle.waiting() != count {
            yield_now().await;
        }
    })
    .await;
}

async fn waiter(world: &World, path: &str) -> Connection {
    let mut connection = Connection::open(&world.path).await;
    connection.ask("GET", path, "", b"").await;
    connection
}

#[test]
fn who_waits_holds_nobody_up_and_is_forgotten_when_it_goes_away() {
    let world = World::new(100);
    world.run(async |_| {
        let mut waiters = Vec::new();
        for number in 0..50 {
            let path = ["/v1/members?at_least=7&timeout=5m", WAITING][number % 2];
            waiters.push(waiter(&world, path).await);
        }
        until_waiting(&world, 50).await;
        assert_eq!(get(&world.path, "/v1/status").await.status, 200);
        waiters.truncate(20);
        until_waiting(&world, 20).await;
        drop(waiters);
        until_waiting(&world, 0).await;
    });
}

#[test]
fn so_many_may_wait_and_no_more() {
    let mut world = World::new(100);
    world.bounds.waiting = 2;
    world.run(async |_| {
        let one = waiter(&world, WAITING).await;
        let _other = waiter(&world, "/v1/members?at_least=7").await;
        until_waiting(&world, 2).await;
        for path in [WAITING, "/v1/members?consistent=true"] {
            let reply = get(&world.path, path).await;
            assert_eq!(
                (reply.status, reply.problem().0.as_str()),
                (503, "too-many-waiting")
            );
        }
        let reply = ask(&world.path, "DELETE", "/v1/members/n1", "", b"").await;
        assert_eq!(reply.status, 503);
        drop(one);
        until_waiting(&world, 1).await;
        let _third = waiter(&world, WAITING).await;
        until_waiting(&world, 2).await;
    });
}

#[test]
fn who_waits_is_told_when_the_agent_stops() {
    let world = World::new(100);
    let (stop, stopped) = stopper();
    let client = async |_: &smol::LocalExecutor<'_>| {
        let mut waiters = Vec::new();
        for path in [WAITING, "/v1/members?at_least=7"] {
            waiters.push(waiter(&world, path).await);
        }
        until_waiting(&world, 2).await;
        stop.close();
        for connection in &mut waiters {
            let reply = connection.read_reply("GET").await;
            assert_eq!(
                (reply.status, reply.problem().0.as_str()),
                (503, "stopping")
            );
        }
    };
    world.run_until(client, stopped);
}

#[test]
fn who_waits_looks_again_when_what_is_agreed_changed() {
    let world = World::new(100);
    world.add_peer(&[]);
    world.run(async |executor| {
        let handle = world.handle.clone();
        let left = executor.spawn(async move {
            let look = |lifecycle| (lifecycle == Lifecycle::Left).then_some(());
            handle.until(|node| look(node.lifecycle())).await;
        });
        until_waiting(&world, 1).await;
        ask(&world.path, "POST", "/v1/leave", "", b"").await;
        within("the end of the wait", left).await;
        assert_eq!(world.handle.waiting(), 0);
    });
}
