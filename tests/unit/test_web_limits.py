"""How much is done at once, and what becomes of what nobody waits for any more."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest

from brekzsync.web.errors import Problem
from brekzsync.web.limits import THREADS, Threads


def test_more_than_allowed_is_refused_and_its_place_is_free_again_afterwards() -> None:
    threads, gate = Threads(2), Event()

    async def ask() -> list[object]:
        held = [asyncio.ensure_future(threads.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(Problem) as refused:
            await threads.run(lambda: None)
        gate.set()
        await asyncio.gather(*held)
        return [refused.value.code, await threads.run(lambda: "done")]

    assert asyncio.run(ask()) == ["busy", "done"]
    threads.close()


def test_what_was_given_up_before_it_began_takes_no_place() -> None:
    threads, gate = Threads(THREADS + 1), Event()

    async def ask() -> str:
        held = [asyncio.ensure_future(threads.run(gate.wait)) for _ in range(THREADS)]
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(threads.run(lambda: None), 0.01)
        gate.set()
        await asyncio.gather(*held)
        return await threads.run(lambda: "done")

    assert asyncio.run(ask()) == "done"
    threads.close()


def test_what_is_given_up_at_work_keeps_its_place_until_it_has_ended() -> None:
    threads, gate = Threads(1), Event()

    async def ask() -> str:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(threads.run(gate.wait), 0.01)
        with pytest.raises(Problem):
            await threads.run(lambda: None)
        gate.set()
        while True:
            try:
                return await threads.run(lambda: "done")
            except Problem:
                await asyncio.sleep(0.01)

    assert asyncio.run(ask()) == "done"
    threads.close()
