"""The command `xrdjax`, whose first word chooses what it does.

xrdjax simulate --crystal=quartz --out=pattern.xy
"""

import difflib
import importlib
import sys
from collections.abc import Sequence

from xrdjax import __version__
from xrdjax.errors import InputError, exit_on_input_error

# Module of each command, what it does, and an example of its flags.
_COMMANDS = {
    "simulate": (
        "xrdjax.simulate",
        "the powder pattern of a CIF, or of a crystal of the gallery",
        "--crystal=quartz --figure=quartz.png",
    ),
    "sample": (
        "xrdjax.sample",
        "random crystals of a space group, as CIFs",
        "--space_group=62 --count=100 --out=crystals",
    ),
    "classify": (
        "xrdjax.classify",
        "the most probable space groups of a measured pattern",
        "--pattern=mineral.xrdml",
    ),
    "statistics": (
        "xrdjax.statistics",
        "the statistics of your own crystals, to sample from",
        "--crystals=cifs.zip --out=mine.npz",
    ),
    "train": (
        "xrdjax.main",
        "a network, trained on simulated patterns",
        "--config=configs/resnet.py:quick --workdir=runs/quick",
    ),
    "evaluate": (
        "xrdjax.evaluate",
        "a report on a network's answers to known crystals",
        "--workdir=runs/quick --crystals=cifs.zip",
    ),
}


def _help() -> str:
    """A screen: the commands, each with an example."""
    lines = ["usage: xrdjax COMMAND [flags]", ""]
    for name, (_, description, example) in _COMMANDS.items():
        lines += [f"  {name:12}{description}", f"{'':14}xrdjax {name} {example}"]
    return "\n".join(
        [
            *lines,
            "",
            "xrdjax COMMAND --help lists the flags of a command; xrdjax --version prints",
            "the version.",
        ]
    )


def _module_of(command: str) -> str:
    if command not in _COMMANDS:
        close = difflib.get_close_matches(command, _COMMANDS, n=1)
        hint = f"did you mean {close[0]}?" if close else "xrdjax --help lists them"
        raise InputError(
            f"there is no command {command!r}, expected {', '.join(_COMMANDS)}: {hint}"
        )
    return _COMMANDS[command][0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the first argument names."""
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if command in ("--help", "-h", "help"):
        print(_help())
    elif command == "--version":
        print(f"xrdjax {__version__}")
    else:
        with exit_on_input_error():
            module = importlib.import_module(_module_of(command))
        run = module.command if command == "train" else module.main
        run(rest)


if __name__ == "__main__":
    main()
