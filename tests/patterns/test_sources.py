"""Which source of training patterns a configuration asks for, and what it may know."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from repository import get_config
from xrdjax.patterns.sources import mix, training_crystals

from xrdjax.crystals.cif import Reading
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.errors import InputError
from xrdjax.known.analyses import AnalysedCrystals, analyse_reading
from xrdjax.known.file import save_analyses
from xrdjax.known.splits import Split, members
from xrdjax.known.variations import Variation
from xrdjax.patterns import sources
from xrdjax.prior.file import load_statistics
from xrdjax.training.loop import train


@pytest.fixture(scope="module")
def known():
    return analyse_reading(Reading(tuple(gallery_structures().values()), ()))


@pytest.fixture(scope="module")
def path(known, tmp_path_factory):
    """The analyses of the gallery, in the file that takes the place of CIFs."""
    path = tmp_path_factory.mktemp("known") / "gallery.npz"
    save_analyses(path, known)
    return path


def tiny_config(path, **changes):
    config = get_config("10")
    config.update(
        {
            "source": "crystals",
            "crystals": str(path),
            "steps": 4,
            "steps_per_call": 2,
            "checkpoint_every": 2,
            "batch_size": 4,
            "points": 64,
            "model": {"width": 2, "groups": 1},
        }
    )
    config.update_from_flattened_dict(changes)
    return config


@pytest.mark.parametrize("kind", ["type", "random"])
def test_training_knows_the_statistics_side_in_its_groups_and_nothing_else(
    known, path, kind
):
    statistics = load_statistics()
    provenance = {"held_out": 0.5, "seed": 3, "split": kind}
    selection = training_crystals(tiny_config(path), statistics, provenance)
    inside = members(known.analyses, Split(0.5, 3, kind), "statistics")
    groups = statistics.space_groups.tolist()
    expected = [
        (a.standard.name, groups.index(a.space_group))
        for a, is_inside in zip(known.analyses, inside, strict=True)
        if is_inside and a.space_group in groups
    ]
    assert 0 < len(expected) < len(known.analyses)
    names = [structure.name for structure in selection.structures]
    assert list(zip(names, selection.labels.tolist(), strict=True)) == expected


def test_statistics_of_all_crystals_leave_all_for_training(known, path):
    statistics = load_statistics()
    selection = training_crystals(tiny_config(path), statistics, {"held_out": 0.0})
    inside = np.isin([a.space_group for a in known.analyses], statistics.space_groups)
    assert len(selection.structures) == inside.sum()


def test_a_network_is_trained_on_known_crystals_and_goes_on_with_the_same_only(
    path, known, tmp_path
):
    workdir = tmp_path / "run"
    state = train(tiny_config(path, steps=2), workdir)
    assert int(state.step) == 2
    (line,) = (workdir / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["incomplete"] == 0
    other = tmp_path / "other.npz"
    save_analyses(other, AnalysedCrystals(known.analyses[:50], (), (), 0.01))
    with pytest.raises(InputError, match=r"crystals \(there .*gallery.npz"):
        train(tiny_config(other), workdir)


def constant(value, **counts):
    """A generator of patterns and labels of one value."""

    def draw(key, tables, batch_size):
        patterns = jnp.full((batch_size, 3), value + tables)
        return patterns, jnp.full(batch_size, value), counts

    return draw


@pytest.mark.parametrize(
    ("share", "batch_size", "second"), [(0.5, 8, 4), (0.3, 10, 3), (0.01, 8, 1)]
)
def test_a_mixture_has_its_share_of_both_in_random_order(share, batch_size, second):
    draw = mix(constant(1, drawn=5, incomplete=1), constant(2, incomplete=2), share)
    patterns, labels, counts = draw(jax.random.key(0), (10, 20), batch_size)
    assert sorted(labels.tolist()) == [1] * (batch_size - second) + [2] * second
    np.testing.assert_array_equal(patterns, 11 * np.tile(labels[:, None], 3))
    assert counts == {"drawn": 5, "incomplete": 3}
    orders = {
        tuple(draw(jax.random.key(i), (0, 0), batch_size)[1].tolist())
        for i in range(20)
    }
    assert len(orders) > 5


def test_a_network_is_trained_on_varied_known_crystals_and_random_ones(path, tmp_path):
    config = tiny_config(path, source="mixed")
    config.known.strain = 0.02
    config.known.exchange = 0.5
    assert int(train(config, tmp_path / "run").step) == 4
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    for line in map(json.loads, lines):
        assert line["incomplete"] == 0
        assert line["drawn"] >= 4  # two random crystals in each of two steps


def test_the_configuration_tells_how_many_are_known_and_how_they_vary(
    known, path, monkeypatch
):
    asked = []

    def patterns(key, table, grid, batch_size, simulation, max_atoms, variation):
        asked.append((batch_size, variation))
        return jnp.zeros((batch_size, 64)), jnp.zeros(batch_size, int), {}

    monkeypatch.setattr(sources, "crystal_patterns", patterns)
    changes = {"known.share": 0.25, "known.strain": 0.02, "known.exchange": 0.7}
    config = tiny_config(path, source="mixed", **changes)
    draw, tables = sources.make_source(config, load_statistics(), {"held_out": 0.0})
    drawn = draw(jax.random.key(0), tables, 8)
    assert drawn[0].shape == (8, 64)
    assert asked == [(2, Variation(strain=0.02, exchange=0.7))]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crystals": ""}, "source is 'crystals', but crystals is empty"),
        (
            {"source": "mixed", "crystals": ""},
            "source is 'mixed', but crystals is empty",
        ),
        (
            {"source": "mixed", "batch_size": 1, "cpu_devices": 1},
            "batch_size is 1, which leaves a device one crystal .*: choose 2 or more",
        ),
        ({"source": "icsd"}, "'icsd', expected one of synthetic, crystals, mixed"),
        ({"known.share": 1.0}, r"known.share is 1.0, expected in \(0, 1\)"),
        ({"known.strain": 0.5}, r"known.strain is 0.5, expected in \[0, 0.1\]"),
    ],
)
def test_a_source_that_cannot_be_is_refused_before_anything_is_written(
    path, tmp_path, changes, message
):
    with pytest.raises(InputError, match=message):
        train(tiny_config(path, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()
