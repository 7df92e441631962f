"""One command, `xrdjax`, whose help is quick and whose flags have one spelling."""

import importlib
import os
import subprocess
import sys

import pytest
from repository import ROOT

import xrdjax
from xrdjax import __main__ as front
from xrdjax.checkpoints.reader import CHOICES
from xrdjax.classify import _parser as classify_parser
from xrdjax.evaluate import _parser as evaluate_parser
from xrdjax.instrument.instrument import CU_K_ALPHA
from xrdjax.known.selection import SPLITS
from xrdjax.known.splits import KINDS
from xrdjax.prior.backing_off import BackingOff
from xrdjax.prior.prior import Limits
from xrdjax.sample import _parser as sample_parser
from xrdjax.simulate import _parser as simulate_parser
from xrdjax.statistics import _parser as statistics_parser

COMMANDS = ("simulate", "sample", "classify", "statistics", "train", "evaluate")
HELP = """
import runpy, sys
for module in {modules}:
    sys.argv = [module, "--help"]
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as end:
        assert not end.code, end.code
    print("=" * 20)
slow = {{"jax", "numpy", "matplotlib", "gemmi", "flax"}} & set(sys.modules)
assert not slow, slow
"""


def test_help_of_every_command_fits_a_screen_and_imports_nothing_that_takes_time():
    modules = [module for module, *_ in front._COMMANDS.values()] + ["xrdjax"]
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HELP.format(modules=modules)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    pages = run.stdout.split("=" * 20 + "\n")[:-1]
    assert len(pages) == len(modules) == 7
    for page in pages:
        lines = page.splitlines()
        assert 10 < len(lines) <= 40 and max(map(len, lines)) <= 80
    assert all(command in pages[-1] for command in COMMANDS)


def test_the_front_page_states_the_version_and_corrects_a_misspelt_command(capsys):
    front.main(["--version"])
    assert capsys.readouterr().out == f"xrdjax {xrdjax.__version__}\n"
    with pytest.raises(SystemExit) as exit_:
        front.main(["simulat", "--crystal=quartz"])
    assert exit_.value.code == 2
    assert "did you mean simulate?" in capsys.readouterr().err


def test_the_first_word_chooses_the_command(monkeypatch):
    for command, (module, *_) in front._COMMANDS.items():
        calls = []
        name = "command" if command == "train" else "main"
        monkeypatch.setattr(importlib.import_module(module), name, calls.append)
        front.main([command, "--flag=1"])
        assert calls == [["--flag=1"]]


def test_hyphens_in_flags_are_read_as_underscores():
    for flag in ("--space_group=62", "--space-group=62"):
        args = sample_parser().parse_args([flag, "--out=dir-with-hyphens"])
        assert (args.space_group, args.out) == ("62", "dir-with-hyphens")
    for flag in ("--no-subtract_background", "--no-subtract-background"):
        args = classify_parser().parse_args(["--pattern", "my-file.xy", flag])
        assert not args.subtract_background


def test_defaults_and_choices_of_flags_are_those_of_the_library():
    def action(parser, flag):
        return parser()._option_string_actions[flag]

    assert action(simulate_parser, "--wavelength").default == CU_K_ALPHA
    assert action(sample_parser, "--max_volume").default == Limits().max_volume
    assert action(sample_parser, "--max_sites").default == Limits().max_sites
    assert action(statistics_parser, "--borrowed").default == BackingOff.borrowed
    assert action(statistics_parser, "--floor").default == BackingOff.floor
    assert action(statistics_parser, "--split").choices == KINDS
    assert action(evaluate_parser, "--split").choices == SPLITS
    assert action(evaluate_parser, "--checkpoint").choices == CHOICES
