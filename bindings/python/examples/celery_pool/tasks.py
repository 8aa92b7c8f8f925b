"""A Celery application on Redis: tasks are acknowledged when they are done."""

from __future__ import annotations

import os
import time

from celery import Celery

app = Celery("tasks", broker=os.environ.get("BROKER", "redis://127.0.0.1:6379/0"))
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    # What a task of a killed worker waits for without Muster: an hour, as by default.
    broker_transport_options={"visibility_timeout": 3600},
    broker_connection_retry_on_startup=True,
    worker_enable_remote_control=False,
)


@app.task(name="tasks.work")  # type: ignore[untyped-decorator]
def work(path: str, seconds: float) -> None:
    """Says when it begins and when it is done, in a file."""
    note(path, "begin")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
    note(path, "done")


def note(path: str, word: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{word} {os.getpid()} {time.time()}\n")
