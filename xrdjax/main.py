"""Trains a network on simulated powder patterns and reports its accuracy.

    xrdjax train --config=configs/resnet.py --workdir=runs/resnet10

configs/resnet.py lists all settings; flags such as --config.seed=1 change them.
"""

import itertools
import re
import sys
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from xrdjax.errors import InputError, exit_on_input_error

FLAGS = flags.FLAGS
_NAMES = (
    "config",
    "workdir",
    "report",
    "coordinator_address",
    "num_processes",
    "process_id",
)
_HELP = {"--help", "-help", "-h", "--helpshort", "-?"}

config_flags.DEFINE_config_file(
    "config",
    None,
    "File of the configuration, and its variant, such as configs/resnet.py:quick.",
    lock_config=True,
)
flags.DEFINE_string(
    "workdir", None, "Work directory of the run; a run that is there is resumed."
)
flags.DEFINE_boolean("report", True, "Evaluate the network at the end of training.")
flags.DEFINE_string(
    "coordinator_address",
    None,
    "host:port of process 0, where no cluster provides it.",
)
flags.DEFINE_integer("num_processes", None, "Number of processes that share the run.")
flags.DEFINE_integer("process_id", None, "Number of this process, from 0.")


def main(argv: list[str]) -> None:
    """Trains, and evaluates unless --noreport is given."""
    del argv  # `parse_flags` makes sure that there are only flags
    logging.set_verbosity(logging.FATAL)  # orbax also raises what it logs
    with exit_on_input_error():
        from xrdjax import devices  # imports JAX
        from xrdjax.evaluation.evaluator import Request, evaluate_run
        from xrdjax.training.loop import train

        devices.start(  # before JAX looks for devices
            FLAGS.config.get("distributed", "off"),
            FLAGS.coordinator_address,
            FLAGS.num_processes,
            FLAGS.process_id,
            FLAGS.config.get("cpu_devices", 1),
        )
        train(FLAGS.config, FLAGS.workdir)
        if FLAGS.report:
            evaluate_run(Request(FLAGS.workdir))


def parse_flags(argv: list[str]) -> list[str]:
    """Reads flags and configuration, and ends the command on a mistake."""
    if _HELP & set(argv):
        print(_help())
        sys.exit(0)
    logging.set_verbosity(logging.ERROR)
    with exit_on_input_error():
        from xrdjax.config import expected_value  # imports JAX

        for argument in argv:
            if field := re.match(r"--?config\.([^=]+)", argument):
                expected_value(field[1])
        path = _config_path(argv)
        try:
            arguments = FLAGS(argv)
            missing = [name for name in ("config", "workdir") if not _is_given(name)]
            if not missing:
                config = FLAGS.config
                getattr(config, "keys", dict)()  # only now is the file read
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise InputError(_fault_in_file(error, path) or _message(error)) from error
        if missing:
            raise InputError(
                f"the flag --{missing[0]} is missing: give, for example, "
                "--config=configs/resnet.py --workdir=runs/resnet10"
            )
        if not (isinstance(config, ConfigDict) and len(config)):
            raise InputError(
                f"the configuration {path!r} gives {type(config).__name__} without "
                "fields: its get_config must return an ml_collections.ConfigDict such as "
                "that of configs/resnet.py"
            )
        if len(arguments) > 1:
            raise InputError(
                f"cannot use the argument {arguments[1]!r}: every setting is a flag, "
                "such as --config.seed=1"
            )
        return arguments


def _is_given(name: str) -> bool:
    """Whether a flag was given; a configuration may be empty, a path may not."""
    return bool(FLAGS[name].present if name == "config" else FLAGS[name].value)


def _config_path(argv: list[str]) -> str:
    """File of the configuration, without its variant; empty if none is named."""
    for flag, argument in itertools.pairwise([*argv, ""]):
        if flag in ("--config", "-config"):
            return argument.partition(":")[0]
        if found := re.match(r"--?config=([^:]*)", flag):
            return found[1]
    return ""


def _fault_in_file(error: BaseException, path: str) -> str | None:
    """What is wrong with the Python of a configuration; None if something else is."""
    if not Path(path).is_file():
        return None
    hint = "correct it, or start from a copy of configs/resnet.py"
    for cause in _causes(error):
        if isinstance(cause, InputError):
            return None
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(cause.__traceback__)
            if Path(frame.filename).resolve() == Path(path).resolve()
        ]
        if isinstance(cause, SyntaxError) and cause.filename:
            lines = [cause.lineno]
        if lines:
            reason = " ".join(f"{type(cause).__name__}: {cause}".split())
            return f"line {lines[-1]} of {path!r} fails ({reason[:300]}): {hint}"
    if isinstance(error, flags.Error | OSError):
        return None
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"the configuration {path!r} cannot be read ({reason[:300]}): {hint}"


def _help() -> str:
    """The flags of this command; those of absl are for developers."""
    lines = [str(__doc__).strip(), "", "flags:"]
    for flag in (FLAGS[name] for name in _NAMES):
        name = f"[no]{flag.name}" if flag.boolean else flag.name
        lines += textwrap.wrap(
            f"  --{name:22} {flag.help}", width=79, subsequent_indent=" " * 27
        )
    return "\n".join(lines)


def _message(error: BaseException) -> str:
    """One sentence, without the stack traces that the flag parsers add."""
    for cause in _causes(error):
        if isinstance(cause, InputError) and cause.__context__ is None:
            return str(cause)
    from xrdjax.config import expected_value

    if found := re.match(r"flag --config\.([^=]+)=(.*?): ", str(error)):
        return f"{found[1]} is {found[2]!r}, expected {expected_value(found[1])}"
    if found := re.search(r"\[Errno \d+\] (.*)", str(error)):
        return f"cannot read the configuration ({found[1]}): give --config=FILE"
    return str(error).splitlines()[-1].strip()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def command(arguments: Sequence[str]) -> None:
    """Runs the command with these arguments, as `xrdjax train` does."""
    app.run(main, argv=["xrdjax train", *arguments], flags_parser=parse_flags)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
