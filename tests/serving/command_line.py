"""Whether the command line knows what a page tells people to type."""

import shlex


def assert_arguments_are_known(line: str) -> None:
    from konayuki.cli.main import VERBS, build_parser

    arguments = shlex.split(line)
    build_parser([verb for verb in VERBS if verb.name == arguments[0]]).parse_args(arguments)
