"""An evaluation from a checkpoint to the report, by the run's own physics."""

import json

import jax
import numpy as np
from peaks import Linear
from tiny_run import tiny_config

import xrdjax.run
from xrdjax.checkpoints.writer import save
from xrdjax.config import write_config
from xrdjax.crystals.textbook import gallery
from xrdjax.evaluation import evaluator, sets
from xrdjax.evaluation.evaluator import Request, evaluate_run
from xrdjax.models.parameters import init_params
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics

# Enough to run everything.
CRYSTALS = {name: gallery(name) for name in ("halite", "quartz", "diamond")}


def test_an_untrained_network_is_evaluated_on_its_own_crystals(
    tmp_path, monkeypatch, capsys
):
    # a whole network takes seconds to compile, and a figure to plot
    monkeypatch.setattr(
        xrdjax.run, "make_model", lambda config, outputs: Linear(outputs)
    )
    monkeypatch.setattr(evaluator, "plot_report", lambda *arguments: {})
    monkeypatch.setattr(sets, "gallery_structures", lambda: CRYSTALS)
    config = tiny_config(**{"evaluation.synthetic": 6})
    write_config(tmp_path, config)
    statistics = load_statistics()
    save_statistics(tmp_path / xrdjax.run.STATISTICS, statistics, read_provenance())
    model = Linear(len(statistics.space_groups))
    params = init_params(jax.random.key(0), model, config.points)
    save(tmp_path, 7, {"params": params}, kept=1)

    result = evaluate_run(Request(tmp_path, progress=False))

    written = json.loads((tmp_path / "report.json").read_text())
    assert written["run"]["step"] == 7
    assert (
        written["run"]["space_groups"] == np.asarray(statistics.space_groups).tolist()
    )
    assert written["run"]["statistics"] == read_provenance()
    assert written["sets"]["synthetic"]["score"]["top1"]["count"] == 6
    assert written["sets"]["synthetic"]["generator"]["drawn"] >= 8
    found = written["sets"]["gallery"]["counts"]
    assert found["found"] == 3
    assert found["evaluated"] + found["outside_the_trained_groups"] == 3
    assert result["seconds"] > 0
    assert "--crystals=PATH" in capsys.readouterr().out
