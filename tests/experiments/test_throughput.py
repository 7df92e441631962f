"""The benchmark's stopwatch, its crystals and its command, on tiny work."""

import itertools
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.image import imread

from experiments.throughput import __main__ as command
from experiments.throughput.benchmark import compare
from experiments.throughput.figure import STAGES, plot_throughput
from experiments.throughput.other_programs import time_pymatgen, time_pyxtal
from experiments.throughput.scaling import CELLS, general_sites, slope
from experiments.throughput.stages import place, reflect
from experiments.throughput.stopwatch import (
    Timing,
    measure,
    peak_resident_mib,
    time_runs,
)
from experiments.throughput.table import table
from experiments.throughput.training import GivenSource, forward_operations
from xrdjax.crystals.textbook import gallery
from xrdjax.patterns.batch import Source
from xrdjax.patterns.synthetic import make_synthetic_source
from xrdjax.prior.prior import Limits
from xrdjax.prior.sites import sites_to_crystal, sites_to_structure

PARTS = (*STAGES, "simulate_sites", "synthetic_patterns")


def stage(milliseconds: float) -> dict:
    seconds = milliseconds / 1000
    return Timing(1.0, (seconds,) * 3, (seconds,) * 3).as_dict(members=1)


@pytest.fixture(scope="module")
def numbers():
    """Made-up numbers in the shape of the JSON file."""
    curves = [
        {
            "group": number,
            "symbol": f"group {number}",
            "against": against,
            "x": [1, 10, 100],
            "ms_each": [0.5, 1.0, 8.0],
            "slope": 0.6,
            "last_slope": 0.6,
        }
        for number in CELLS
        for against in ("volume", "sites")
    ]
    measured = {"paper": stage(10.0), "measured": stage(12.5)}
    others = {
        "pymatgen": {"crystals": 10, "seconds": 1.0},
        "PyXtal": {"valid": 0, "seconds": 2.0},
    }
    stages = {name: stage(0.25 * 2**i) for i, name in enumerate(PARTS)}
    device = {"cores": 2, "devices": 1, "resident_peak_mib": None} | stage(1.0)
    training = stage(100.0) | {
        "batch": 1,
        "step_s": 0.1,
        "points": 8501,
        "dtype": "float32",
        "generator_share": 0.25,
        "floor_share": 0.375,
    }
    on = {"device": "abacus", "platform": "cpu", "devices": 1, "cores": 2}
    return {
        "circumstances": on | {"load_before": 0.5, "jax": "0", "commit": "abc"},
        "batch": 4,
        "repeats": 3,
        "points": 8501,
        "stages": stages,
        "peak_device_mib": None,
        "devices": [device],
        "training": {"quick": training},
        "measurements": measured,
        "scaling": curves,
        "others": others,
        "comparison": compare(stages, others),
    }


def test_the_median_leaves_out_the_first_run_and_the_compilation():
    calls = []

    def slow_at_first(x):
        calls.append(x)
        time.sleep(0.2 if len(calls) == 1 else 0.0)
        return x

    timing = time_runs(slow_at_first, [(1,), (2,)], repeats=3)
    assert calls == [1, 1, 2, 1]
    assert len(timing.wall_s) == 3
    assert timing.median_s < 0.1


def test_compilation_is_measured_apart():
    def traced_slowly(x):
        time.sleep(0.2)
        return x + 1

    timing = measure(traced_slowly, [(jnp.zeros(3),)], repeats=3)
    assert timing.compile_s >= 0.2
    assert timing.median_s < 0.1


def test_a_function_that_donates_its_argument_continues_from_its_result():
    counting = jax.jit(lambda state, step: (state + step, 2), donate_argnums=0)
    timing = measure(counting, [(jnp.zeros(5), 1.0)], repeats=4, donate=True)
    assert len(timing.wall_s) == 4


def test_milliseconds_each_and_crystals_per_second_are_of_the_median():
    row = Timing(1.0, (4.0, 2.0, 30.0), (8.0, 4.0, 6.0)).as_dict(members=100)
    assert row["median_s"] == 4.0
    assert row["median_cpu_s"] == 6.0
    assert row["ms_each"] == pytest.approx(40.0)
    assert row["per_second"] == pytest.approx(25.0)


def test_peak_memory_holds_an_array_that_was_freed():
    before = peak_resident_mib()
    if before is None:
        pytest.skip("the memory is not counted on this system")
    array = np.ones(int(before + 100) * 2**17)
    size = array.nbytes / 2**20
    del array
    assert peak_resident_mib() > size


@pytest.mark.parametrize("power", [-1.0, 0.5, 2.0])
def test_the_slope_of_a_power_law_is_its_power(power):
    x = np.array([1.0, 3.0, 10.0])
    assert slope(x, 7 * x**power) == pytest.approx(power)


@pytest.mark.parametrize("number,order", [(2, 2), (62, 8)])
def test_crystals_of_a_scaling_have_the_asked_volume_and_atoms(number, order):
    sites = general_sites(number, count=5, volume=900.0, copies=2, max_sites=8)
    for i in range(2):
        one = sites_to_structure(jax.tree.map(lambda x, i=i: x[i], sites), "x")
        assert one.volume == pytest.approx(900.0, rel=1e-4)
        assert one.space_group == number
        assert len(one.elements) == 5
        assert len(one.rotations) == order
    assert not np.allclose(sites.coordinates[0], sites.coordinates[1])


def present_reflections(structure, s_range):
    """Number of reflections in a range of 1/d, counted one by one."""
    reciprocal = np.linalg.inv(structure.lattice).T
    limits = np.floor(s_range[1] * np.linalg.norm(structure.lattice, axis=1))
    box = [range(int(-n), int(n) + 1) for n in limits]
    miller = np.array(list(itertools.product(*box)))
    s = np.linalg.norm(miller @ reciprocal, axis=1)
    miller = miller[(s >= s_range[0]) & (s <= s_range[1])]
    absent = np.zeros(len(miller), bool)
    for rotation, translation in zip(
        structure.rotations, structure.translations, strict=True
    ):
        fixed = np.all(miller @ rotation == miller, axis=1)
        phase = miller @ translation
        absent |= fixed & (np.abs(phase - np.round(phase)) > 1e-6)
    return np.sum(~absent)


def test_stages_do_the_work_that_their_names_state():
    limits = Limits(max_volume=400.0, max_sites=4, max_atoms=64)
    source = make_synthetic_source(limits=limits)
    sites = general_sites(62, count=3, volume=300.0, copies=2, max_sites=4)
    instruments, _ = source.measurement.sample(jax.random.key(0), 2)
    placed = jax.jit(place)(sites, source)
    multiplicities, _ = jax.jit(reflect)(sites, instruments, source)
    for i in range(2):
        one = jax.tree.map(lambda x, i=i: x[i], sites)
        crystal = sites_to_crystal(one, source.prior, max_atoms=64)
        inside = crystal.elements > 0
        expected = float(crystal.positions[inside].sum()) + int(crystal.elements.sum())
        assert float(placed[i]) == pytest.approx(expected, rel=1e-5)
        u_range = np.array(source.measurement.grid.u_range)
        expected = present_reflections(sites_to_structure(one, "x"), u_range / 1.5406)
        assert int(multiplicities[i]) == expected


def test_given_patterns_are_a_source_and_cost_nothing():
    given = GivenSource(np.ones((4, 8), np.float32), np.arange(4))
    assert isinstance(given, Source)
    batch = given.sample(jax.random.key(0), 4)
    assert batch.patterns is given.patterns and batch.counts == {}
    assert batch.targets.group_rows is given.group_rows


def test_a_matrix_product_has_two_operations_for_each_multiplication():
    matrix = jax.ShapeDtypeStruct((20, 20), jnp.float32)
    assert forward_operations(jnp.matmul, matrix, matrix) == 2 * 20**3


@pytest.mark.filterwarnings("ignore")  # what the other programs deprecate
def test_other_programs_are_given_crystals_that_they_can_take(monkeypatch):
    module = "experiments.throughput.other_programs"
    monkeypatch.setattr(f"{module}.pin", lambda count: None)
    crystals = [gallery("halite"), gallery("rutile")]
    peaks = time_pymatgen(crystals, 1.5406, (5.0, 90.0))
    assert peaks["crystals"] == 2
    assert 0 < peaks["median_ms"] <= peaks["longest_ms"] < 1000 * peaks["seconds"]
    random = time_pyxtal(crystals, limit_s=10)
    assert random["crystals"] == 2
    assert random["valid"] + random["too_long"] + random["none_found"] <= 2
    assert random["valid"] > 0


def test_the_ratio_is_per_core_and_counts_what_others_finished():
    stages = {name: stage(1.0) for name in PARTS}
    others = {
        "pymatgen": {"crystals": 50, "seconds": 5.0},
        "PyXtal": {"crystals": 8, "valid": 4, "seconds": 2.0},
    }
    patterns, crystals = compare(stages, others)
    assert patterns["xrdjax_per_core"] == pytest.approx(1000.0)
    assert patterns["ratio"] == pytest.approx(100.0)
    assert crystals["ratio"] == pytest.approx(500.0)


def test_the_table_holds_every_stage_and_every_comparison(numbers):
    lines = table(numbers)
    for word in (
        *PARTS,
        "abacus",
        "commit abc",
        "25.0%",
        "37.5%",
        "pymatgen",
        "no crystal",
    ):
        assert word in lines
    assert "measured                                80    0.80" in lines
    # the whole takes 16 ms a crystal
    assert "patterns: 62 / s, 225,000 / h" in lines


def test_a_figure_is_plotted_with_and_without_a_comparison(numbers, tmp_path):
    for name in ("with", "without"):
        plot_throughput(numbers, tmp_path / f"{name}.png")
        assert imread(tmp_path / f"{name}.png").std() > 0.05
        numbers = {key: numbers[key] for key in numbers if key != "comparison"}


def test_the_command_writes_what_it_measured(numbers, tmp_path, monkeypatch, capsys):
    asked = []

    def benchmark(bench, with_others):
        asked.append((bench.batch, bench.repeats, with_others))
        return numbers

    monkeypatch.setattr(command, "benchmark", benchmark)
    out, figure = tmp_path / "numbers.json", tmp_path / "figure.png"
    arguments = ["--batch=4", "--repeats=3", f"--out={out}", f"--figure={figure}"]
    command.main([*arguments, "--compare"])
    assert asked == [(4, 3, True)]
    assert json.loads(out.read_text()) == json.loads(json.dumps(numbers))
    assert figure.exists()
    assert table(numbers) in capsys.readouterr().out


@pytest.mark.parametrize(
    "argument,words",
    [
        ("--batch=0", "--batch is 0: expected 1 or more"),
        ("--repeats=-1", "--repeats is -1: expected 1 or more"),
        ("--out=absent/x.json", "cannot write 'absent/x.json': the folder"),
        ("--figure=absent/x.png", "cannot write 'absent/x.png': the folder"),
    ],
)
def test_bad_flags_are_one_sentence(argument, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main([argument])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
