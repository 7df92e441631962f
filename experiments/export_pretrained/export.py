"""Writes a checkpoint of a run as a folder of weights, with its report and licence."""

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from experiments.export_pretrained.mean import mean_network
from xrdjax.errors import InputError
from xrdjax.evaluation.evaluator import Request, evaluate_run
from xrdjax.evaluation.report import to_json, to_markdown
from xrdjax.files import write_text
from xrdjax.run import Run, load_network, load_run, save_weights

# Licences of crystals under which weights made from them may be published under
# CC BY 4.0.
_OPEN = ("CC-BY 4.0", "CC BY 4.0", "CC0")

_LICENCE = """\
Pretrained weights of xrdjax

The weights in params.npz, their configuration, their statistics and their report are
licensed under the Creative Commons Attribution 4.0 International licence (CC BY 4.0):
https://creativecommons.org/licenses/by/4.0/legalcode

You may share and adapt them, for any purpose, if you name their source, xrdjax, and
state whether you changed them. They come without any warranty.

They were derived from the following crystal structures:

    {source}
    licence: {license}
    {citation}

Please name that source too. The program itself is under the MIT licence.
"""


def licence(provenance: Mapping) -> str:
    """The licence of weights, which names the source of their statistics.

    Raises:
        InputError: the statistics name no source, or one that is not open.
    """
    if not provenance.get("source") or provenance.get("license") not in _OPEN:
        raise InputError(
            f"the statistics come from {provenance.get('source')!r} under the licence "
            f"{provenance.get('license')!r}, expected a source under one of "
            f"{', '.join(_OPEN)}: only weights from such crystals can be published"
        )
    return _LICENCE.format(**{"citation": ""} | dict(provenance)).replace("    \n", "")


def _without_paths(result: Mapping[str, Any], *paths: Path | str | None) -> dict:
    """The report without figures, and with names in place of paths."""
    text = json.dumps(dict(result) | {"figures": {}})
    for path in paths:
        if path is not None:
            text = text.replace(json.dumps(str(path))[1:-1], Path(path).name)
    return json.loads(text)


def at_temperature(run: Run, temperature: float) -> Run:
    """The run with logits divided by a temperature.

    The last layer is linear, so its kernel and bias are divided; it is the one that
    flax names last among those named Dense.
    """
    head = max(name for name in run.params if name.startswith("Dense_"))
    scaled = jax.tree.map(lambda leaf: leaf / temperature, run.params[head])
    return dataclasses.replace(run, params=run.params | {head: scaled})


def export(
    workdir: Path,
    folder: Path,
    crystals: Path | str | None = None,
    synthetic: int | None = None,
    checkpoint: str = "newest",
    temperature: float = 1.0,
    mean_with: Sequence[Path] = (),
) -> Run:
    """Writes a checkpoint of a run as a folder of weights.

    Args:
        workdir: work directory of the run.
        folder: to write into; created if absent.
        crystals: known crystals for the report; by default those of the run.
        synthetic: number of synthetic crystals for the report; by default as
            configured.
        checkpoint: "newest", or "best" by validation accuracy; the report of the best
            leaves out the known crystals for validation, which chose it.
        temperature: divisor of the logits that calibrates the probabilities; see
            `experiments.measured_patterns`.
        mean_with: runs from the same weights, to average the weights with.

    Returns:
        The run, at the checkpoint that was exported.

    Raises:
        InputError: there is no run, its weights do not fit, or its crystals are not
            open.
    """
    run = load_run(workdir, checkpoint)
    terms = licence(run.provenance)
    if mean_with:
        run = mean_network(run, [load_network(other) for other in mean_with])
    if temperature != 1:
        run = at_temperature(run, temperature)
    crystals = crystals or run.evaluation.crystals or None
    save_weights(run, folder)
    write_text(folder / "LICENSE", terms)
    best = checkpoint == "best" and run.provenance.get("held_out")
    request = Request(
        folder,
        crystals,
        checkpoint=checkpoint,
        split="test" if best else None,
        synthetic=synthetic,
        out=folder / "report.json",
    )
    result = evaluate_run(request) or {}
    shutil.rmtree(request.figures_path)  # too large for the package
    result = _without_paths(result, folder, crystals)
    write_text(request.report_path, to_json(result))
    write_text(request.page_path, to_markdown(result))
    return run
