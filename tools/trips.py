"""Count the files and functions of the package that one operation enters.

`python tools/trips.py` prints a table; `--files` also lists the files, with what is called in
each. A reader who follows an operation opens as many files, so fewer is better.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import konayuki
from konayuki import Index, StaticModel

PACKAGE = f"{Path(konayuki.__file__).parent}/"
# The same characters in each, so that nothing is learned about one of them on the way.
FIRST = "富士山は日本で一番高い山です。"
SECOND = "一番高い山は日本の富士山です。"

Trip = dict[str, dict[str, int]]


@contextmanager
def traced() -> Iterator[Trip]:
    """Collect the calls of functions by file, in every thread that the block starts."""
    trip: Trip = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            functions = trip.setdefault(code.co_filename.removeprefix(PACKAGE), {})
            name = f"{code.co_name}:{code.co_firstlineno}"
            functions[name] = functions.get(name, 0) + 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield trip
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


def of(function: Callable[[], object]) -> Trip:
    """Return the trip of one call."""
    with traced() as trip:
        function()
    return trip


def trips(folder: Path) -> Iterator[tuple[str, Trip]]:
    """Yield each operation and its trip, after a call like it: nothing is done for the first time.

    Args:
        folder: An empty one for an index.
    """
    model = StaticModel.load()
    model.encode([FIRST, SECOND])
    yield "encode a text", of(lambda: model.encode(SECOND))
    yield "encode a list", of(lambda: model.encode([FIRST, SECOND]))
    with Index.create(folder / "index", model) as index:
        index.add([{"id": "0", "text": FIRST}])
        index.search(FIRST)
        yield "add a document", of(lambda: index.add([{"id": "1", "text": SECOND}]))
        index.search(FIRST)
        yield "search for a new question", of(lambda: index.search(SECOND))
        yield "search for it again", of(lambda: index.search(SECOND))
    yield "POST /search, of the server", served(folder / "index")


def served(path: Path) -> Trip:
    """Return what one request enters in the room of the server."""
    from konayuki.serving.app import build_app
    from konayuki.serving.engine import Engine
    from konayuki.serving.settings import Settings

    settings = Settings(index=str(path))
    engine = Engine.open(settings)
    app = build_app(engine, settings)
    body = json.dumps({"query": SECOND}).encode()
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/search", "query_string": b""}
    scope |= {
        "headers": headers,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
    }
    answered = False

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, object]) -> None:
        nonlocal answered
        answered = answered or message.get("status") == 200

    async def ask() -> Trip:
        with traced() as trip:
            await app({**scope}, receive, send)  # type: ignore[arg-type]
            trip.clear()  # the threads that it has started are traced
            await app({**scope}, receive, send)  # type: ignore[arg-type]
        return trip

    trip = asyncio.run(ask())
    engine.close()
    if not answered:
        sys.exit("the server did not answer")
    return {name: functions for name, functions in trip.items() if name.startswith("serving/")}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", action="store_true", help="list the files and their functions")
    args = parser.parse_args()
    print("| operation | files | functions | calls |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for operation, trip in trips(Path(folder)):
            n_functions = sum(map(len, trip.values()))
            n_calls = sum(sum(functions.values()) for functions in trip.values())
            print(f"| {operation} | {len(trip)} | {n_functions} | {n_calls} |")
            for name, functions in trip.items() if args.files else ():
                print(f"    {name}: {', '.join(functions)}")


if __name__ == "__main__":
    main()
