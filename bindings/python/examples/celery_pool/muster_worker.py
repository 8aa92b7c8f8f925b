"""Makes each Celery worker a member of its queue's pool.

    celery -A tasks worker -I muster_worker

An embedded member starts with the worker. Its name is the worker's, its tag `queue` says which pool it
is of, and its tag `tasks` which deliveries it holds: the broker's tags, by which they can be given back.
`requeue.py` is told when such a member is dead, and gives back what it held.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, Optional

from celery import signals
from celery.worker import state

from muster import Agent, Client


class Pool:
    """This worker's member."""

    def __init__(self) -> None:
        self.agent: Optional[Agent] = None
        self.client: Optional[Client] = None

    def start(self, name: str, queue: str) -> None:
        folder = os.environ.get("MUSTER_FOLDER", "/tmp")
        key_file = os.environ.get("MUSTER_KEY_FILE")
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        self.agent = Agent(
            name=name.replace("@", "-"),
            cluster=os.environ.get("MUSTER_CLUSTER", "celery"),
            bind=os.environ.get("MUSTER_BIND", "127.0.0.1:0"),
            join=os.environ["MUSTER_JOIN"].split(","),
            socket=os.path.join(folder, f"{digest}.sock"),
            non_voting=True,
            tags={"queue": queue},
            **({"key_file": key_file} if key_file else {}),
        )
        self.client = self.agent.client()

    def publish(self, *fresh: Any) -> None:
        """Which deliveries this worker holds. One that is done meanwhile does no harm in the list:
        the broker does not know it any more."""
        if self.client is not None:
            held = {request.message.delivery_tag for request in {*state.reserved_requests, *fresh}}
            self.client.set_tag("tasks", ",".join(sorted(held)))

    def stop(self) -> None:
        if self.agent is not None:
            self.agent.stop()


POOL = Pool()


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def on_init(sender: Any, **_: Any) -> None:
    POOL.start(str(sender.hostname), os.environ.get("QUEUE", "celery"))


@signals.task_received.connect  # type: ignore[untyped-decorator]
def on_received(request: Any, **_: Any) -> None:
    """In the worker's main process, before a task goes to its children."""
    POOL.publish(request)


@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
def on_shutdown(**_: Any) -> None:
    POOL.stop()
