"""A pool of workers whose master is whoever runs beside the coordinator.

    python pool.py --socket /run/muster/muster.sock --database jobs.db

Every process is the same program, beside a sidecar of its own. Workers publish the jobs that they hold
as a tag. The process beside the coordinator is the master as well: it hands out jobs, and hands those
of a member that is dead to others. What it writes carries its epoch, and the database refuses an older
one: a master that was paused and replaced can do no harm when it goes on.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from typing import List, Optional

import muster
from muster import EventType

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY, owner TEXT, epoch INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0, handed INTEGER NOT NULL DEFAULT 0
);
"""

#: Jobs that a worker holds at a time.
EACH = 2


class Fenced(Exception):
    """A newer master has been here: this term is over."""


class Jobs:
    """The jobs, in a database that all share."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, timeout=10, isolation_level=None)
        self.connection.executescript(SCHEMA)

    def of(self, owner: str) -> List[int]:
        query = "SELECT id FROM jobs WHERE owner = ? AND done = 0 ORDER BY id"
        return [row[0] for row in self.connection.execute(query, (owner,))]

    def free(self) -> List[int]:
        query = "SELECT id FROM jobs WHERE owner IS NULL AND done = 0 ORDER BY id"
        return [row[0] for row in self.connection.execute(query)]

    def owners(self) -> List[str]:
        query = "SELECT DISTINCT owner FROM jobs WHERE owner IS NOT NULL AND done = 0"
        return [row[0] for row in self.connection.execute(query)]

    def hand(self, job: int, owner: Optional[str], epoch: int) -> None:
        """Gives a job to somebody, or takes it back, in the name of a term."""
        changed = self.connection.execute(
            "UPDATE jobs SET owner = ?, epoch = ?, handed = handed + 1 "
            "WHERE id = ? AND epoch <= ? AND done = 0",
            (owner, epoch, job, epoch),
        )
        if changed.rowcount == 0 and self.is_newer(job, epoch):
            raise Fenced(f"job {job} is of a newer term than {epoch}")

    def is_newer(self, job: int, epoch: int) -> bool:
        found = self.connection.execute("SELECT epoch FROM jobs WHERE id = ?", (job,)).fetchone()
        return found is not None and found[0] > epoch

    def finish(self, job: int, owner: str) -> bool:
        """Only who holds it may finish it."""
        query = "UPDATE jobs SET done = 1 WHERE id = ? AND owner = ? AND done = 0"
        return self.connection.execute(query, (job, owner)).rowcount == 1


class Process:
    """A worker, and while it runs beside the coordinator the master."""

    def __init__(self, socket: Optional[str], database: str, seconds: float) -> None:
        self.client = muster.Client(socket, wait=30)
        self.name = str(self.client.status()["name"])
        self.jobs = Jobs(database)
        self.seconds = seconds
        self.epoch: Optional[int] = None
        self.begun = time.monotonic()
        self.holds: List[int] = []

    def run(self) -> None:
        self.client.set_tag("pool", "yes")
        members = self.client.members()
        self.look_who_decides()
        with self.client.watch(since=members.cursor) as events:
            while True:
                event = events.wait(0.05)
                if event is not None:
                    # Of whatever kind: who decides, or who is there, may have changed.
                    if event.type in (EventType.COORDINATOR_CHANGED, EventType.RESET):
                        self.look_who_decides()
                    if event.type in (EventType.QUORUM_LOST, EventType.SELF_REMOVED):
                        self.epoch = None
                self.work()
                if self.epoch is not None:
                    self.lead(self.epoch)

    def look_who_decides(self) -> None:
        """Takes the epoch once for a term, and only from an answer that says: you."""
        try:
            coordinator = self.client.coordinator()
        except muster.Refused:
            self.epoch = None
            return
        self.epoch = coordinator.epoch if coordinator.is_self else None
        if self.epoch is not None:
            print(f"{self.name} leads in epoch {self.epoch}", flush=True)

    def lead(self, epoch: int) -> None:
        try:
            workers = {
                member.name
                for member in self.client.members(tags={"pool": "yes"})
                if member.verdict is muster.Verdict.UP
            }
            for owner in self.jobs.owners():
                if owner not in workers:
                    for job in self.jobs.of(owner):
                        self.jobs.hand(job, None, epoch)
                        print(f"{self.name} takes job {job} from {owner}", flush=True)
            free = self.jobs.free()
            for worker in sorted(workers):
                for _ in range(EACH - len(self.jobs.of(worker))):
                    if free:
                        self.jobs.hand(free.pop(0), worker, epoch)
        except Fenced as over:
            print(f"{self.name} leads no more: {over}", flush=True)
            self.epoch = None

    def work(self) -> None:
        """Finishes one of its jobs, each some time after the last, and publishes what it holds."""
        holds = self.jobs.of(self.name)
        if holds and time.monotonic() - self.begun > self.seconds:
            self.begun = time.monotonic()
            if self.jobs.finish(holds[0], self.name):
                print(f"{self.name} did job {holds[0]}", flush=True)
            holds = holds[1:]
        if holds != self.holds:
            self.holds = holds
            self.client.set_tag("jobs", ",".join(map(str, holds)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--socket", help="of the sidecar beside it")
    parser.add_argument("--database", required=True, help="file of the jobs")
    parser.add_argument("--add", type=int, default=0, help="so many more jobs, then end")
    parser.add_argument("--seconds", type=float, default=0.3, help="how long a job takes")
    given = parser.parse_args()
    if given.add:
        jobs = Jobs(given.database)
        jobs.connection.executemany("INSERT INTO jobs DEFAULT VALUES", [()] * given.add)
        sys.exit()
    Process(given.socket, given.database, given.seconds).run()


if __name__ == "__main__":
    main()
