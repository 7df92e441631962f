"""Answers are batched without changing them, and some patterns are kept for figures."""

import dataclasses

import jax
import numpy as np
from coded_patterns import CRYSTALS, SOURCE, Simulator, code, reading_run, row_of

from xrdjax.devices import local_mesh
from xrdjax.evaluation.answers import Answers, answer_known, answer_synthetic
from xrdjax.evaluation.sets import full_score
from xrdjax.known.selection import Selection
from xrdjax.prior.file import load_statistics, read_provenance
from xrdjax.prior.tables import select_groups

MESH = local_mesh(1)
KNOWN = CRYSTALS[:-1]
SELECTION = Selection(
    structures=KNOWN,
    labels=np.array([row_of(crystal.space_group) for crystal in KNOWN]),
    type_keys=("a", "b", "c", "d"),
    counts={},
    failures=(),
)


def test_synthetic_crystals_are_as_many_as_asked_for_and_their_batches_counted():
    for count, batches in ((1, 1), (4, 2), (7, 4)):
        answers, counts = answer_synthetic(reading_run(), MESH, SOURCE, count)
        assert answers.probabilities.shape == (count, 86)
        np.testing.assert_array_equal(
            answers.labels, np.resize(np.resize(SOURCE.rows, 2), count)
        )
        np.testing.assert_array_equal(answers.probabilities.argmax(1), answers.labels)
        assert counts == {"drawn": 3 * batches}


def test_accuracy_is_counted_in_all_groups_and_in_those_of_many_known_crystals():
    numbers = np.array([14, 62, 168, 225])  # no crystal of 168 is known
    run = dataclasses.replace(
        reading_run(),
        statistics=select_groups(load_statistics(), numbers),
        provenance=read_provenance(),
        space_groups=numbers,
    )
    labels = np.array([0, 1, 2, 2, 3])
    right = Answers(np.eye(4)[[0, 1, 2, 0, 0]], labels, {})
    score = full_score(run, right)
    assert (score["top1"]["hits"], score["top1"]["count"]) == (3, 5)
    common = score["common_groups"]
    assert (common["top1"]["hits"], common["top1"]["count"]) == (2, 3)
    assert common["space_groups"] == 3
    few = dataclasses.replace(
        run,
        statistics=select_groups(load_statistics(), numbers[:2]),
        space_groups=numbers[:2],
    )
    only = Answers(np.eye(2), np.arange(2), {})
    assert "common_groups" not in full_score(few, only)


def test_each_batch_of_synthetic_crystals_has_a_key_of_its_own_and_a_seed_the_same():
    keys = []

    @jax.tree_util.register_dataclass
    @dataclasses.dataclass
    class Recorder:
        def sample(self, key, size):
            jax.debug.callback(
                lambda data: keys.append(tuple(data.tolist())), jax.random.key_data(key)
            )
            return SOURCE.sample(key, size)

    for _ in range(2):
        answer_synthetic(reading_run(), MESH, Recorder(), 6)
    jax.effects_barrier()
    assert len(keys) == 6 and len(set(keys)) == 3


def test_known_crystals_keep_their_order_in_batches_no_larger_than_configured():
    simulator = Simulator()
    answers = answer_known(reading_run(), MESH, SELECTION, simulator)
    assert simulator.batches == [2, 2]
    np.testing.assert_array_equal(answers.labels, SELECTION.labels)
    np.testing.assert_array_equal(answers.probabilities.argmax(1), SELECTION.labels)


def test_crystallite_sizes_are_those_of_training_and_the_same_for_a_seed():
    first, same, other = Simulator(), Simulator(), Simulator()
    answer_known(reading_run(), MESH, SELECTION, first)
    answer_known(reading_run(**{"evaluation.batch_size": 3}), MESH, SELECTION, same)
    answer_known(reading_run(seed=4), MESH, SELECTION, other)
    assert first.sizes == same.sizes != other.sizes
    assert len(set(first.sizes)) == 4
    assert 20 <= min(first.sizes) < max(first.sizes) <= 100


def test_the_first_patterns_of_each_group_are_kept_with_their_names():
    answers = answer_known(reading_run(), MESH, SELECTION, Simulator())
    names = {row: [name for name, _ in kept] for row, kept in answers.examples.items()}
    assert names == {
        row_of(221): ["ClCs (chloride)"],
        row_of(225): ["ClNa (salt)", "Cu (copper)"],
        row_of(229): ["Fe (iron)"],
    }
    for row, kept in answers.examples.items():
        for _, pattern in kept:
            np.testing.assert_array_equal(pattern, code([row])[0])
    answers, _ = answer_synthetic(reading_run(), MESH, SOURCE, 9)
    assert {len(kept) for kept in answers.examples.values()} == {3}


def test_a_selection_of_nothing_has_no_answers():
    nothing = Selection((), np.zeros(0, np.int64), (), {}, ())
    answers = answer_known(reading_run(), MESH, nothing, Simulator())
    assert answers.probabilities.shape == (0, 86) and answers.labels.shape == (0,)
