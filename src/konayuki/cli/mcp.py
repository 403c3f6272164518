"""`konayuki mcp`: an index as tools for agents, over stdio."""

import argparse

from konayuki.cli.options import place
from konayuki.extras import require


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments of the verb."""
    parser.add_argument("index", type=place, metavar="DIR", help="folder of the index")
    parser.add_argument("--create", action="store_true", help="make the index if it does not exist")
    parser.add_argument("--read-only", action="store_true", help="leave out the tool that writes")


def run(args: argparse.Namespace) -> int:
    """Serve one client on stdin and stdout until it leaves."""
    require("mcp", "serve")
    from konayuki.serving import Engine, Settings, build_agent
    from konayuki.serving.stdio import clean_stdin

    settings = Settings(
        index=args.index,
        model=args.model,
        create=args.create,
        read_only=args.read_only,
        share_index=True,  # several clients may each run a server on one index
    )
    engine = Engine.open(settings)
    clean_stdin()
    try:
        build_agent(engine).run("stdio")
    finally:
        engine.close()
    return 0
