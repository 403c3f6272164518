"""Parse the arguments, run the verb, turn errors into a line and an exit code."""

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from konayuki import progress
from konayuki.cli.options import HelpFormatter, add_shared
from konayuki.errors import InputError, KonayukiError
from konayuki.files import reading_hint, reason_of, unreadable_part

_PYTHON = re.compile(r"\b(Index|StaticModel)\b|\w\(")


class Verb(NamedTuple):
    """One verb of the command line; its module is next to this one and has its name.

    Attributes:
        name: What people type.
        help: One line for the list of verbs.
        shared: Names of the options in `konayuki.cli.options.SHARED` that it takes.
    """

    name: str
    help: str
    shared: tuple[str, ...] = ()


VERBS = (
    Verb(
        "index",
        "build or update a search index from files",
        ("--model", "--json", "--no-progress"),
    ),
    Verb(
        "watch",
        "keep a search index up to date with files while they change",
        ("--model", "--json", "--no-progress"),
    ),
    Verb("search", "answer a question from an index", ("--model", "--json")),
    Verb("get", "read a passage, with what stands before and after it", ("--model", "--json")),
    Verb("status", "say what an index holds and what was left out of it", ("--model", "--json")),
    Verb("encode", "turn lines of text into vectors", ("--model", "--dim", "--no-progress")),
    Verb(
        "embed",
        "add vectors to Parquet or JSON Lines files, here or on a Ray cluster",
        ("--column", "--model", "--dim", "--json", "--no-progress"),
    ),
    Verb(
        "dedup",
        "group texts that say the same, and keep one of each group",
        ("--column", "--model", "--dim", "--json", "--no-progress"),
    ),
    Verb(
        "cluster",
        "sort texts into groups by meaning",
        ("--column", "--model", "--dim", "--json", "--no-progress"),
    ),
    Verb(
        "push-qdrant",
        "copy an index or embedded files to a Qdrant collection",
        ("--column", "--json", "--no-progress"),
    ),
    Verb("info", "describe a model or an index", ("--json",)),
    Verb("export", "write a model folder that sentence-transformers opens", ("--dim",)),
    Verb("quantize", "write a model folder with 4-bit rows", ("--json",)),
    Verb("evaluate", "measure retrieval quality on BEIR-layout sets", ("--no-progress",)),
    Verb("card", "write the model card of a model folder"),
    Verb("push", "send a model folder with its card to the Hugging Face hub", ("--json",)),
    Verb("bench", "time encoding on this machine", ("--model", "--json")),
    Verb("train", "train a model from a recipe", ("--json",)),
    Verb("train-ranker", "learn the weights of the second look of a search", ("--no-progress",)),
    Verb("serve", "serve embeddings, search and a search page over HTTP", ("--model",)),
    Verb(
        "site",
        "add search to a folder of built HTML, for pages without a server",
        ("--model", "--json"),
    ),
    Verb("mcp", "serve an index to agents as MCP tools over stdio", ("--model",)),
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
            formatter_class=HelpFormatter,
        )
        module_of(verb.name).add_arguments(command)
        add_shared(command, [*verb.shared, "--debug"])
    return parser


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the arguments say; ends the process with a message if they are wrong."""
    # Only the requested verb is imported; help and mistakes need them all.
    requested = [verb for verb in VERBS if arguments and verb.name == arguments[0]]
    parser = build_parser(requested or VERBS)
    args, rest = parser.parse_known_args(arguments)
    # argparse ends a list of words at the first option: in `search DIR -k 3 WORD`, none is left.
    end = rest.index("--") if "--" in rest else len(rest)
    query: object = getattr(args, "query", None)
    if isinstance(query, list) and not any(map(_is_option, rest[:end])):
        args.query = [*query, *rest[:end], *rest[end + 1 :]]
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 for success, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    _escape_unencodable()
    args = parsed(arguments)
    progress.enable(not getattr(args, "no_progress", False))
    try:
        code = module_of(args.verb).run(args)
        sys.stdout.flush()  # now: an error at interpreter exit could not be reported
        return code
    except BrokenPipeError:  # whoever reads our output has left, as `head` does
        _discard_output()
        return 1
    except KeyboardInterrupt:
        return 130
    except (KonayukiError, OSError) as error:
        if args.debug:
            raise
        message = shell_message(error) if isinstance(error, KonayukiError) else _refusal(error)
        print(f"konayuki {args.verb}: {message}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:
            _discard_output()
        return 2 if isinstance(error, InputError) else 1


def _is_option(argument: str) -> bool:
    """Return whether argparse takes an argument as an option, as it does not if it has a space."""
    return argument.startswith("-") and argument != "-" and " " not in argument


def shell_message(error: KonayukiError) -> str:
    """Return the message of an error without the hints that only Python code can follow."""
    lines = str(error).splitlines()
    return "\n".join(
        line for line in lines if not (line.startswith("hint: ") and _PYTHON.search(line))
    )


def _refusal(error: OSError) -> str:
    """Return what the system refused, and for which path, with a hint if it is about rights."""
    reason = " ".join(reason_of(error).split())
    if not isinstance(error.filename, str):
        return reason
    unreadable = unreadable_part(Path(error.filename))
    hint = f"\n{reading_hint(unreadable)}" if unreadable else ""
    return f"{error.filename}: {reason}{hint}"


def _discard_output() -> None:
    """Let stdout lead nowhere, or Python would fail on the unwritten rest when it exits."""
    with suppress(OSError, ValueError):  # in tests stdout is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape_unencodable() -> None:
    """Escape what the encoding of the output lacks, as CP932 lacks emoji.

    Files and pipes on Windows have such encodings.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
