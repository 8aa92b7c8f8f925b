"""The examples, as a user runs them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from support import eventually

EXAMPLES = Path(os.environ["MUSTER_ROOT"]) / "bindings/python/examples"
SHELL = Path(os.environ["MUSTER_ROOT"]) / "bindings/shell"


class Programs:
    """What was started, and the lines that it said."""

    def __init__(self) -> None:
        self.started: List["subprocess.Popen[str]"] = []
        self.readers: List[threading.Thread] = []

    def start(self, *command: Any, **options: Any) -> Any:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,
        )
        self.started.append(process)
        lines: List[str] = []
        output = process.stdout
        assert output is not None
        reader = threading.Thread(target=lambda: lines.extend(output), daemon=True)
        reader.start()
        self.readers.append(reader)
        return process, Said(lines)

    def end(self) -> None:
        for process in self.started:
            try:
                os.killpg(process.pid, 9)
            except ProcessLookupError:
                pass
            process.wait()
        for process, reader in zip(self.started, self.readers):
            reader.join()
            assert process.stdout is not None
            process.stdout.close()


class Said:
    """The lines of a program so far."""

    def __init__(self, lines: List[str]) -> None:
        self.lines = lines

    def wait_for(self, words: str, patience: float = 30.0) -> str:
        def found() -> Any:
            return next((line for line in list(self.lines) if words in line), None)

        try:
            return str(eventually(found, patience))
        except AssertionError:
            raise AssertionError(f"never said {words!r}, but: {self.lines}") from None


@pytest.fixture
def programs() -> Iterator[Programs]:
    all_of_them = Programs()
    yield all_of_them
    all_of_them.end()


@pytest.mark.parametrize("language", ["python", "shell"])
def test_join_watch_and_leave(
    cluster: Callable[..., Any], programs: Programs, language: str, tmp_path: Path
) -> None:
    def sample(name: str) -> List[Any]:
        return [sys.executable, EXAMPLES / f"{name}.py"] if language == "python" else [SHELL / name]

    first = cluster("n1")
    first.client().coordinator(wait=20)
    second = type(first)(tmp_path, "n2", "--expect=2")
    try:
        _, said = programs.start(*sample("watch"), first.socket)
        said.wait_for("n1 is alive")
        subprocess.run([*map(str, sample("join")), first.addr, second.socket], check=True)
        said.wait_for("member-up n2")
        subprocess.run([*map(str, sample("leave")), second.socket], check=True)
        said.wait_for("member-left n2")
        refused = subprocess.run([*map(str, sample("leave")), "/nowhere"], capture_output=True)
        assert refused.returncode != 0 and b"/nowhere" in refused.stderr or language == "shell"
    finally:
        second.kill()


def test_the_first_example_of_the_readme(
    cluster: Callable[..., Any], programs: Programs
) -> None:
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    example = readme.split("```python\n")[1].split("```")[0]
    first = cluster("n1")
    first.client().coordinator(wait=20)
    here = {**os.environ, "MUSTER_SOCKET": first.socket, "PYTHONUNBUFFERED": "1"}
    started, said = programs.start(sys.executable, "-c", example, env=here)
    # It watches from when it has connected; until then nobody would be told of.
    names = iter(f"n{number}" for number in range(2, 100))

    def told() -> bool:
        assert started.poll() is None, said.lines
        cluster(next(names), "--tag=role=worker")
        return any("is a new worker" in line for line in said.lines)

    eventually(told)
    second = cluster("last", "--tag=role=worker")
    said.wait_for("last is a new worker")
    second.kill()
    said.wait_for("last is dead, agreed as view")
    assert started.poll() is None


def test_a_pool_hands_out_the_jobs_of_the_dead_and_fences_old_masters(
    cluster: Callable[..., Any],
    programs: Programs,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    def closed_at_end(connection: sqlite3.Connection) -> sqlite3.Connection:
        request.addfinalizer(connection.close)
        return connection

    database, pool = tmp_path / "jobs.db", EXAMPLES / "pool/pool.py"
    sidecars = {name: cluster(name) for name in ["n1", "n2", "n3", "n4"]}
    subprocess.run([sys.executable, pool, "--database", database, "--add", "60"], check=True)
    workers: Dict[str, Any] = {}
    for name, sidecar in sidecars.items():
        command = [sys.executable, pool, "--socket", sidecar.socket, "--database", database]
        workers[name] = programs.start(*command)
    jobs = closed_at_end(sqlite3.connect(database, timeout=10))

    def count(where: str) -> int:
        return int(jobs.execute(f"SELECT count(*) FROM jobs WHERE {where}").fetchone()[0])

    eventually(lambda: count("done = 1") > 4)
    coordinator = sidecars["n4"].client().coordinator(wait=20).name
    workers[coordinator][1].wait_for(f"{coordinator} leads in epoch")

    # A worker is killed with its sidecar: its jobs go to others.
    victim = next(name for name in ["n4", "n3"] if name != coordinator)
    eventually(lambda: count(f"owner = '{victim}' AND done = 0") == 2)
    workers[victim][0].kill()
    held = [row[0] for row in jobs.execute(f"SELECT id FROM jobs WHERE owner='{victim}' AND done=0")]
    sidecars[victim].kill()
    start = time.monotonic()
    for job in held:
        workers[coordinator][1].wait_for(f"takes job {job} from {victim}")
    print(f"jobs of a killed worker are free after {time.monotonic() - start:.2f} s")

    # The master's host is gone as well: another one leads, and the old one's writes are refused.
    old_epoch = sidecars[coordinator].client().coordinator().epoch
    workers[coordinator][0].kill()
    sidecars[coordinator].kill()
    rest = [name for name in sidecars if name not in (victim, coordinator)]
    fresh = eventually(lambda: leader_of(sidecars[rest[0]], old_epoch), 40)
    workers[fresh][1].wait_for(f"{fresh} leads in epoch")
    eventually(lambda: count("done = 1") == 60, 60)
    sys.path.insert(0, str(pool.parent))
    import pool as example

    stale = example.Jobs(str(database))
    closed_at_end(stale.connection)
    stale.connection.execute("INSERT INTO jobs (epoch) VALUES (?)", (old_epoch + 1,))
    (job,) = stale.free()
    with pytest.raises(example.Fenced):
        stale.hand(job, "n1", old_epoch)


def leader_of(sidecar: Any, old_epoch: int) -> Any:
    import muster

    try:
        found = sidecar.client().coordinator()
    except muster.Refused:
        return None
    return found.name if found.epoch > old_epoch else None


def test_tasks_of_a_killed_celery_worker_are_given_back(
    cluster: Callable[..., Any], programs: Programs, tmp_path: Path
) -> None:
    redis = shutil.which("redis-server")
    assert redis is not None, "apt-get install redis-server"
    broker = tmp_path / "redis.sock"
    programs.start(redis, "--port", "0", "--unixsocket", broker, "--save", "", cwd=tmp_path)
    eventually(broker.exists)
    sidecars = [cluster(name) for name in ["n1", "n2", "n3"]]
    sidecars[0].client().coordinator(wait=20)
    environment = {
        **os.environ,
        "BROKER": f"redis+socket://{broker}",
        "MUSTER_JOIN": sidecars[0].addr,
        "MUSTER_CLUSTER": "test",
        "MUSTER_FOLDER": str(tmp_path),
        "C_FORCE_ROOT": "1",
    }
    here = {"cwd": EXAMPLES / "celery_pool", "env": environment}
    celery = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-I", "muster_worker"]
    names = ["w1@test", "w2@test"]
    workers = [
        programs.start(*celery, "-n", name, "-c", "1", "--without-mingle", **here)[0]
        for name in names
    ]
    requeue = [sys.executable, "requeue.py", "--socket", sidecars[1].socket]
    _, said = programs.start(*requeue, **here)
    client = sidecars[1].client()

    def pool() -> Any:
        members = client.members(tags={"queue": "celery"}, state="alive")
        return len(members) == 2 and members

    eventually(pool, 60)
    log = tmp_path / "task.log"
    send = f"from tasks import work; work.delay({str(log)!r}, 3.0)"
    subprocess.run([sys.executable, "-c", send], check=True, **here)
    eventually(lambda: log.exists() and "begin" in log.read_text())
    holder = eventually(
        lambda: next((m.name for m in client.members(tags={"queue": "celery"}) if m.tags.get("tasks")), None)
    )
    victim = workers[[name.replace("@", "-") for name in names].index(holder)]
    os.killpg(victim.pid, 9)
    killed = time.time()
    eventually(lambda: log.read_text().count("begin") == 2, 30)
    again = float(log.read_text().splitlines()[1].split()[2])
    print(f"the task of a killed worker begins again after {again - killed:.2f} s")
    assert again - killed < 5
    said.wait_for(f"{holder} is dead")
    eventually(lambda: log.read_text().count("done") == 1)
