"""An evaluation from a checkpoint to the report, by the run's own sources of patterns."""

import json

import jax
import jax.numpy as jnp
import numpy as np
from peaks import Linear, assert_same
from tiny_run import tiny_config

import xrdjax.run
from xrdjax.checkpoints.writer import save
from xrdjax.config import write_config
from xrdjax.crystals.textbook import gallery
from xrdjax.evaluation import evaluator, sets
from xrdjax.evaluation.evaluator import Request, evaluate_run
from xrdjax.models.parameters import init_params
from xrdjax.patterns.batch import Batch, Targets
from xrdjax.patterns.synthetic import SyntheticSource
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics

# Enough to run everything.
CRYSTALS = {name: gallery(name) for name in ("halite", "quartz", "diamond")}


def sample_flat(self, key, size):
    """Stands in for `SyntheticSource.sample`, which takes ten seconds to compile."""
    groups = self.prior.statistics.frequencies.shape[0]
    rows = jax.random.randint(key, (size,), 0, groups)
    patterns = jnp.ones((size, self.measurement.grid.points))
    return Batch(patterns, Targets(rows), {"drawn": jnp.int32(size + 1)})


def test_an_untrained_network_is_evaluated_on_its_own_crystals(
    tmp_path, monkeypatch, capsys
):
    # a whole network takes seconds to compile, and a figure to plot
    monkeypatch.setattr(
        xrdjax.run, "make_model", lambda config, outputs: Linear(outputs)
    )
    monkeypatch.setattr(evaluator, "plot_report", lambda *arguments: {})
    monkeypatch.setattr(sets, "gallery_structures", lambda: CRYSTALS)
    monkeypatch.setattr(SyntheticSource, "sample", sample_flat)
    made = []
    make = evaluator.synthetic_source
    monkeypatch.setattr(
        evaluator,
        "synthetic_source",
        lambda *given: made.append(make(*given)) or made[0],
    )
    config = tiny_config(max_volume=1500.0, max_sites=24, **{"evaluation.synthetic": 6})
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
    assert written["sets"]["synthetic"]["generator"] == {"drawn": 10}
    [source] = made
    assert_same(source.prior.statistics, statistics)
    assert (source.limits.max_volume, source.limits.max_sites) == (1500, 24)
    assert source.measurement.grid.points == config.points
    found = written["sets"]["gallery"]["counts"]
    assert found["found"] == 3
    assert found["evaluated"] + found["outside_the_trained_groups"] == 3
    assert result["seconds"] > 0
    assert "--crystals=PATH" in capsys.readouterr().out
