"""Flags as all commands read them; nothing here takes time to import."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xrdjax.bundled import MEASURED, PRETRAINED


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """States defaults, but not those that say nothing."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=30)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        silent = action.default is None or isinstance(action.default, bool | Path)
        if silent or action.default == "" or "default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """Flags of one command.

    Words in flags are joined by underscores, as in configurations; hyphens are read as
    underscores. Flags are never abbreviated, so that new ones cannot change old scripts.

    Args:
        command: its name.
        needed: flags that must be given, as the help shows them.
        description: one sentence.
        epilog: what stands below the flags.
    """

    def __init__(
        self, command: str, needed: str, description: str, epilog: str | None = None
    ):
        super().__init__(
            prog=f"xrdjax {command}",
            usage=f"%(prog)s {needed} [flags]",
            description=description,
            epilog=epilog,
            formatter_class=_Formatter,
            allow_abbrev=False,
        )

    def parse_known_args(self, args=None, namespace=None):
        """As in argparse, whatever joins the words of a flag."""
        given = sys.argv[1:] if args is None else args
        return super().parse_known_args(self._respelt(given), namespace)

    def _respelt(self, arguments: Sequence[str]) -> list[str]:
        known = {flag.replace("-", "_"): flag for flag in self._option_string_actions}
        respelt = []
        for argument in arguments:
            flag, equals, value = argument.partition("=")
            if flag.startswith("--"):
                flag = known.get(flag.replace("-", "_"), flag)
            respelt.append(f"{flag}{equals}{value}")
        return respelt


def add_network_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the choice of the network, --workdir or --pretrained, as `workdir`."""
    choice = parser.add_mutually_exclusive_group(required=True)
    _add_workdir(choice)
    _add_bundled(choice, "--pretrained", PRETRAINED, "take the bundled network")


def add_measured_network_flags(parser: argparse.ArgumentParser) -> None:
    """The same for measured patterns, for which there is a bundled network of its own."""
    choice = parser.add_mutually_exclusive_group()
    _add_workdir(choice)
    _add_bundled(
        choice,
        "--pretrained",
        MEASURED,
        "take the bundled network that has seen simulated measurements (the default)",
    )
    _add_bundled(
        choice,
        "--clean",
        PRETRAINED,
        "take the bundled network for patterns without background and noise",
    )
    parser.set_defaults(workdir=MEASURED)


def _add_workdir(choice: Any) -> None:
    choice.add_argument(
        "--workdir", type=Path, metavar="DIR", help="work directory of a training run"
    )


def _add_bundled(choice: Any, flag: str, folder: Path, description: str) -> None:
    choice.add_argument(
        flag,
        dest="workdir",
        action="store_const",
        const=folder,
        help=description,
    )


def add_checkpoint_flag(parser: argparse.ArgumentParser) -> None:
    """Adds the choice of the checkpoint of a work directory, as `checkpoint`."""
    parser.add_argument(
        "--checkpoint",
        choices=("newest", "best"),
        default="newest",
        help="newest, or best by validation accuracy (default: newest)",
    )
