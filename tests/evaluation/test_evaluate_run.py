"""An evaluation from a checkpoint to the report, by the real generator."""

import json

import jax
import numpy as np
from repository import get_config

from xrdjax import evaluate
from xrdjax.checkpoints import writer as checkpoints
from xrdjax.config import make_model, write_config
from xrdjax.crystals.textbook import gallery
from xrdjax.models.resnet import init_params
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics


def test_an_untrained_network_is_evaluated_on_the_programs_own_crystals(
    tmp_path, monkeypatch, capsys
):
    # Three crystals are enough to compile and run everything.
    names = ("halite", "quartz", "diamond")
    crystals = {name: gallery(name) for name in names}
    monkeypatch.setattr(evaluate, "gallery_structures", lambda: crystals)
    monkeypatch.setattr(evaluate, "draw_report_figures", lambda *arguments: {})
    config = get_config("quick")
    config.points = 500
    config.model.update({"width": 2, "groups": 1})
    config.evaluation.update({"batch_size": 4, "synthetic": 6})
    write_config(tmp_path, config)
    statistics = load_statistics()
    save_statistics(tmp_path / checkpoints.STATISTICS, statistics, read_provenance())
    model = make_model(config, outputs=len(statistics.space_groups))
    params = init_params(jax.random.key(0), model, config.points)
    checkpoints.save(tmp_path, 7, {"params": params}, kept=1)

    result = evaluate.evaluate_run(tmp_path, progress=False)

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
