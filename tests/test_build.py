"""The objects made from a configuration, and the crystals that training may use."""

import json

import numpy as np
import pytest
from repository import get_config

from xrdjax.build import make_source, measurement_of, schedule_of, training_crystals
from xrdjax.crystals.cif import Reading
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.errors import InputError
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.ranges import Spread
from xrdjax.known.analyses import AnalysedCrystals, analyse_reading
from xrdjax.known.file import save_analyses
from xrdjax.known.splits import Split, members
from xrdjax.known.variations import Variation
from xrdjax.patterns.known import KnownSource
from xrdjax.patterns.mixed import MixedSource
from xrdjax.patterns.synthetic import SyntheticSource
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
            "evaluation": {"validation": 6, "batch_size": 4},
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


def test_a_network_is_trained_on_varied_known_crystals_and_synthetic_ones(
    path, known, tmp_path
):
    """And resumes with the same crystals only."""
    changes = {"known.strain": 0.02, "known.exchange": 0.5}
    config = tiny_config(path, source="mixed", **changes)
    assert int(train(config, tmp_path / "run").step) == 4
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    for line in map(json.loads, lines):
        assert line["overflow_reflections"] == line["overflow_elements"] == 0
        assert line["drawn"] >= 4  # two synthetic crystals in each of two steps
    other = tmp_path / "other.npz"
    save_analyses(other, AnalysedCrystals(known.analyses[:50], (), (), 0.01))
    with pytest.raises(InputError, match=r"crystals \(there .*gallery.npz"):
        train(tiny_config(other, source="mixed", **changes), tmp_path / "run")


def test_the_configuration_states_the_source_its_share_and_its_variation(known, path):
    statistics, provenance = load_statistics(), {"held_out": 0.0}

    def source(**changes):
        return make_source(tiny_config(path, **changes), statistics, provenance)

    assert isinstance(source(source="synthetic"), SyntheticSource)
    assert isinstance(source(), KnownSource)
    changes = {"known.share": 0.25, "known.strain": 0.02, "known.exchange": 0.7}
    mixed = source(source="mixed", **changes)
    assert isinstance(mixed, MixedSource) and mixed.share == 0.25
    assert isinstance(mixed.first, SyntheticSource)
    assert mixed.second.variation == Variation(strain=0.02, exchange=0.7)


def test_the_configuration_states_the_measurement_and_the_limits(path):
    config = tiny_config(path, wavelength=0.7093, crystallite_size_nm=(10.0, 30.0))
    assert not measurement_of(config).instruments.anomalous
    config.anomalous = True
    measurement = measurement_of(config)
    assert measurement.instruments.anomalous
    config.effects.k_alpha2 = (0.5, 0.5)
    measurement = measurement_of(config)
    assert measurement.instruments.wavelengths[1] == pytest.approx(0.713590, abs=1e-5)
    config.wavelength = 0.5
    with pytest.raises(InputError, match="0.5 angstrom is K-alpha of none of Cr, Fe"):
        measurement_of(config)
    config.update({"wavelength": 0.7093, "anomalous": True})
    config.effects.k_alpha2 = (0.0, 0.0)
    measurement = measurement_of(config)
    assert measurement.instruments.wavelengths == (0.7093,)
    assert measurement.specimens.size_nm == Spread(10.0, 30.0)
    assert measurement.grid == TwoThetaGrid(points=64)
    config.spacing = "log_sin_theta"
    assert measurement_of(config).grid.spacing == "log_sin_theta"
    config.max_volume, config.max_sites = 500.0, 7
    source = make_source(config.copy_and_resolve_references(), load_statistics(), {})
    assert source.max_volume == 500.0


def test_a_batch_of_size_0_holds_each_group_once_and_fills_the_devices(path):
    config = tiny_config(path, batch_size=0)
    assert schedule_of(config, groups=86, devices=1).batch_size == 86
    assert schedule_of(config, groups=86, devices=4).batch_size == 88


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
            "batch_size is 1, which leaves a device one crystal, .*: choose 2 or more",
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
