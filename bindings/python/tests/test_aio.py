"""The client for asyncio."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import muster
from muster import aio


def test_a_hundred_clients_need_no_thread(sidecar: Any) -> None:
    async def watch(client: aio.Client, ready: "asyncio.Semaphore") -> str:
        cursor = (await client.members(timeout=30)).cursor
        async with client.watch(since=cursor, types=["app-up"]) as events:
            ready.release()
            async for event in events:
                return str(event.app)
        return ""

    async def main() -> None:
        threads = threading.active_count()
        ready = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(watch(aio.Client(sidecar.socket), ready)) for _ in range(100)]
        for _ in tasks:
            await asyncio.wait_for(ready.acquire(), 30)
        assert threading.active_count() == threads
        with sidecar.client().attach("web"):
            assert await asyncio.wait_for(asyncio.gather(*tasks), 30) == ["web"] * 100

    asyncio.run(main())


def test_questions_errors_and_cancelling(sidecar: Any) -> None:
    async def main() -> None:
        async with aio.Client(sidecar.socket) as client:
            await client.set_tag("k", "v")
            assert (await client.member("n1")).tags == {"k": "v"}
            await client.remove_tag("k")
            assert (await client.coordinator(wait=5)).is_self
            assert (await client.status())["name"] == "n1"
            with pytest.raises(muster.Refused):
                await client.member("nobody")
            events = client.watch()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(events.next(), 0.2)
            await client.set_tag("k", "w")
            assert (await asyncio.wait_for(events.next(), 10)).member.tags == {"k": "w"}
            events.close()
            with pytest.raises(muster.UsageError):
                await events.next()

    asyncio.run(main())


def test_a_restart_is_a_reset(sidecar: Any) -> None:
    async def main() -> None:
        client = aio.Client(sidecar.socket)
        async with client.watch() as events:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(events.next(), 0.2)
            sidecar.kill()
            with pytest.raises(muster.NoAgent):
                await client.status()
            sidecar.start()
            event = await asyncio.wait_for(events.next(), 20)
            assert isinstance(event, muster.Reset)

    asyncio.run(main())


def test_no_agent(tmp_path: Path) -> None:
    with pytest.raises(muster.NoAgent, match="muster agent"):
        aio.Client(tmp_path / "none")


def test_one_task_at_a_time_and_any_may_close(sidecar: Any) -> None:
    async def main() -> None:
        client = aio.Client(sidecar.socket)
        events = client.watch(types="app-up")
        async def read() -> "list[Any]":
            return [event async for event in events]

        reader = asyncio.create_task(read())
        while events._waiting is None:
            await asyncio.sleep(0)
        with pytest.raises(muster.WrongUse):
            await events.next()
        events.close()
        assert await asyncio.wait_for(reader, 10) == []
        assert len(await client.members()) == 1

    asyncio.run(main())


def test_an_app_and_the_rest_of_the_questions(sidecar: Any) -> None:
    async def main() -> None:
        client = aio.Client(sidecar.socket)
        async with client.watch(types=["app-up", "app-down"]) as events:
            with await client.attach("web"):
                assert (await asyncio.wait_for(events.next(), 20)).app == "web"
                assert events.is_connected and events.cursor
            assert (await asyncio.wait_for(events.next(), 20)).type is muster.EventType.APP_DOWN
        assert (await client.ring())["rings"] is not None
        for refused in [client.evidence("n1"), client.remove("n1")]:
            with pytest.raises(muster.Refused):
                await refused

    asyncio.run(main())
