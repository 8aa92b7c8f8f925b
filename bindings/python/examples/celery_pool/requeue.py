"""Gives the unfinished tasks of a killed worker back to the queue, as soon as its death is agreed.

    python requeue.py --socket /run/muster/muster.sock

Run it beside any sidecar of the cluster, or beside several: giving a delivery back twice does nothing,
for the broker forgets it with the first time.
"""

from __future__ import annotations

import argparse
from typing import Dict, Iterable, Optional, Tuple

from tasks import app

import muster
from muster import EventType, Member, Verdict

#: A life of a worker, and what it held when it was last heard of.
Life = Tuple[str, int]


class Requeuer:
    """The workers of all queues, and what they hold."""

    def __init__(self, socket: Optional[str]) -> None:
        self.client = muster.Client(socket, wait=30)
        self.held: Dict[Life, Tuple[str, ...]] = {}

    def run(self) -> None:
        members = self.client.members()
        self.learn(members)
        with self.client.watch(since=members.cursor) as events:
            for event in events:
                match event:
                    case muster.Reset(members=everybody):
                        self.learn(everybody)
                    case muster.Event(type=EventType.MEMBER_DEAD, member=Member() as member):
                        self.learn([member])
                    case muster.Event(member=Member() as member) if member.verdict != Verdict.DEAD:
                        self.learn([member])

    def learn(self, members: Iterable[Member]) -> None:
        for member in members:
            life = (member.name, member.instance)
            held = tuple(filter(None, member.tags.get("tasks", "").split(",")))
            if "queue" not in member.tags:
                continue
            if member.verdict is Verdict.DEAD:
                self.give_back(member, held or self.held.pop(life, ()))
            else:
                self.held[life] = held

    def give_back(self, member: Member, deliveries: Iterable[str]) -> None:
        with app.connection_for_write() as connection:
            for delivery in deliveries:
                connection.default_channel.qos.restore_by_tag(delivery)
        print(f"{member.name} is dead in view {member.view}: gave back what it held", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--socket", help="of a sidecar of the cluster")
    Requeuer(parser.parse_args().socket).run()
