"""Parse the arguments, run the verb, turn errors into a line and an exit code."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from konayuki.errors import InputError, KonayukiError


class Verb(NamedTuple):
    """One verb of the command line; its module lies beside this one and bears its name."""

    name: str
    help: str


VERBS = (
    Verb("index", "build or update a search index from files"),
    Verb("search", "answer a question from an index"),
    Verb("encode", "turn lines of text into vectors"),
    Verb("embed", "add vectors to Parquet or JSON Lines files, here or on a Ray cluster"),
    Verb("dedup", "group texts that say the same, and keep one of each group"),
    Verb("cluster", "sort texts into groups by meaning"),
    Verb("push-qdrant", "copy an index or embedded files to a Qdrant collection"),
    Verb("info", "describe a model or an index"),
    Verb("export", "write a model folder that sentence-transformers opens"),
    Verb("quantize", "write a model folder with 4-bit rows"),
    Verb("evaluate", "measure retrieval quality on BEIR-layout sets"),
    Verb("card", "write the model card of a model folder"),
    Verb("push", "send a model folder with its card to the Hugging Face hub"),
    Verb("bench", "measure how fast texts become vectors here, peers beside"),
    Verb("train", "train a model from a recipe"),
    Verb("serve", "serve embeddings, search and a search page over HTTP"),
    Verb("mcp", "serve an index to agents as MCP tools over stdio"),
)


class VerbModule(Protocol):
    """What the module of a verb offers."""

    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def module_of(verb: str) -> VerbModule:
    """Return the module that implements a verb."""
    return cast("VerbModule", import_module(f"konayuki.cli.{verb.replace('-', '_')}"))


def build_parser(verbs: Sequence[Verb] = VERBS) -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    import konayuki

    parser = argparse.ArgumentParser(
        prog="konayuki",
        description="Static sentence embeddings and hybrid search for Japanese on ordinary CPUs.",
    )
    parser.add_argument("--version", action="version", version=f"konayuki {konayuki.__version__}")
    commands = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    for verb in verbs:
        command = commands.add_parser(
            verb.name,
            help=verb.help,
            description=verb.help[0].upper() + verb.help[1:] + ".",
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
        module_of(verb.name).add_arguments(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 for a failure or 2 for wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _write_anything()
    # Only the verb that is asked for is imported; help and mistakes need them all.
    asked = [verb for verb in VERBS if arguments and verb.name == arguments[0]]
    args = build_parser(asked or VERBS).parse_args(arguments)
    try:
        return module_of(args.verb).run(args)
    except KonayukiError as error:
        if args.debug:
            raise
        print(f"konayuki {args.verb}: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _write_anything() -> None:
    """Escape what the encoding of the output lacks, as CP932 lacks emoji.

    Files and pipes on Windows have such encodings.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
