"""Makes the checkpoint of a run the network that comes with the program.

    python -m experiments.export_pretrained --workdir=DIR --crystals=PATH

Writes weights in float16, configuration, statistics, licence, and the report of these
very weights (after rounding) into xrdjax/data/pretrained. No path of this machine gets
into any of them.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from xrdjax.checkpoints.writer import STATISTICS, load_run
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.evaluate import evaluate_run
from xrdjax.evaluation import report
from xrdjax.prior.file import read_provenance
from xrdjax.run import (
    PRETRAINED,
    WEIGHTS,
    add_checkpoint_flag,
    save_weights,
)

# Licences of crystals that let weights made from them be given away under CC BY 4.0.
_OPEN = ("CC-BY 4.0", "CC BY 4.0", "CC0")

_LICENCE = """\
Pretrained weights of xrdjax

The weights in params.npz, their configuration, their statistics and their report are
licensed under the Creative Commons Attribution 4.0 International licence (CC BY 4.0):
https://creativecommons.org/licenses/by/4.0/legalcode

You may share and adapt them, for any purpose, if you name their source, xrdjax, and
say whether you changed them. They come without any warranty.

All that they know of real crystals comes from:

    {source}
    licence: {license}
    {citation}

Please name that source too. The program itself is under the MIT licence.
"""


def licence(provenance: Mapping) -> str:
    """The licence of weights, which names where their statistics come from.

    Raises:
        InputError: the statistics name no source, or one that is not open.
    """
    if not provenance.get("source") or provenance.get("license") not in _OPEN:
        raise InputError(
            f"the statistics come from {provenance.get('source')!r} under the licence "
            f"{provenance.get('license')!r}, expected a source under one of "
            f"{', '.join(_OPEN)}: only weights from such crystals can be given away"
        )
    return _LICENCE.format(**{"citation": ""} | dict(provenance)).replace("    \n", "")


def export(
    workdir: Path,
    folder: Path,
    crystals: str | Path | None = None,
    synthetic: int | None = None,
    checkpoint: str = "newest",
) -> None:
    """Writes a checkpoint of a run as a folder of weights.

    Args:
        workdir: work directory of the run.
        folder: to write into; made if absent.
        crystals: known crystals for the report; those of the run without it.
        synthetic: random crystals for the report; as configured without it.
        checkpoint: "newest", or "best" by validation accuracy; the report of the best
            leaves out the known crystals for validation, which chose it.

    Raises:
        InputError: there is no run, its weights do not fit, or its crystals are not
            open.
    """
    run = load_run(workdir, checkpoint)
    provenance = read_provenance(workdir / STATISTICS)
    terms = licence(provenance)
    crystals = crystals or run.config.crystals or None
    save_weights(run, folder, provenance)
    report.write_text(folder / "LICENSE", terms)
    best = checkpoint == "best" and provenance.get("held_out")
    result = evaluate_run(
        folder,
        crystals,
        checkpoint=checkpoint,
        split="test" if best else None,
        synthetic=synthetic,
        out=folder / "report.json",
    )
    for name in result["figures"].values():
        (folder / name).unlink()
    (folder / "report_figures").rmdir()
    text = json.dumps(result | {"figures": {}})
    for path in (folder, crystals):
        if path is not None:
            text = text.replace(json.dumps(str(path))[1:-1], Path(path).name)
    result = json.loads(text)
    report.write_text(folder / "report.json", report.to_json(result))
    report.write_text(folder / "report.md", report.to_markdown(result))
    size = (folder / WEIGHTS).stat().st_size
    print(f"step {run.step}: {size / 1e6:.1f} MB of weights, written to {folder}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.export_pretrained",
        description=__doc__.splitlines()[0],
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--workdir", type=Path, required=True, help="work directory of a run")
    add_checkpoint_flag(parser)
    add("--crystals", type=Path, help="for the report (default: those of the run)")
    add("--synthetic", type=int, help="random crystals (default: as configured)")
    add("--out", type=Path, default=PRETRAINED, help="folder (default: the package's)")
    given = parser.parse_args(arguments)
    with exit_on_input_error():
        export(
            given.workdir,
            given.out,
            given.crystals,
            given.synthetic,
            given.checkpoint,
        )


if __name__ == "__main__":
    main()
