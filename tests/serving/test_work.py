import asyncio
import threading

import pytest

from konayuki.serving.problems import Problem
from konayuki.serving.work import WorkPool


def test_what_does_not_fit_is_turned_away_and_places_come_free_again() -> None:
    async def scenario() -> list[object]:
        pool = WorkPool("t", 1, 1, timeout_s=10)
        gate = threading.Event()
        held = [asyncio.create_task(pool.run(lambda: gate.wait() and b"done")) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Problem) as error:
            await pool.run(lambda: b"")
        gate.set()
        answers = await asyncio.gather(*held)
        answers.append(await pool.run(lambda: b"again"))
        pool.close()
        return [error.value.status, error.value.code, error.value.headers, answers]

    assert asyncio.run(scenario()) == [
        503, "overloaded", {"Retry-After": "1"}, [b"done", b"done", b"again"]
    ]  # fmt: skip


def test_an_answer_that_takes_too_long_is_given_up_but_keeps_its_place() -> None:
    async def scenario() -> list[str]:
        pool = WorkPool("t", 1, 0, timeout_s=0.05)
        gate = threading.Event()
        codes = []
        for _ in range(2):  # the second finds the thread still busy with the first
            with pytest.raises(Problem) as error:
                await pool.run(lambda: gate.wait() and b"")
            codes.append(error.value.code)
        gate.set()
        pool.close()
        return codes

    assert asyncio.run(scenario()) == ["timeout", "overloaded"]


def test_what_waits_when_the_time_is_over_is_never_begun() -> None:
    begun = []

    async def scenario() -> None:
        pool = WorkPool("t", 1, 5, timeout_s=0.05)
        gate = threading.Event()
        first = asyncio.create_task(pool.run(lambda: gate.wait() and b""))
        await asyncio.sleep(0.01)
        with pytest.raises(Problem):
            await pool.run(lambda: begun.append(1) or b"")
        gate.set()
        with pytest.raises(Problem):
            await first
        pool.close()

    asyncio.run(scenario())
    assert begun == []


def test_errors_of_the_work_reach_the_caller() -> None:
    def fail() -> bytes:
        raise Problem(404, "none", "nothing here")

    async def scenario() -> None:
        pool = WorkPool("t", 1, 0, timeout_s=5)
        try:
            await pool.run(fail)
        finally:
            pool.close()

    with pytest.raises(Problem, match="nothing here"):
        asyncio.run(scenario())
