"""Steps that are not finite: when they stop a run, and what the message names."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from peaks import BrokenSource, Linear
from tiny_run import SOURCE, tiny_config

from xrdjax.build import schedule_of
from xrdjax.errors import InputError
from xrdjax.training.loop import train
from xrdjax.training.skipped import SkippedSteps

KEY = jnp.array([1, 2], jnp.uint32)


def skipped_steps(most, steps_per_draw=1):
    config = tiny_config(max_skipped_steps=most, steps_per_draw=steps_per_draw)
    return SkippedSteps(schedule_of(config, groups=1, devices=1))


def test_skipped_steps_in_a_row_are_counted_over_calls():
    skipped = skipped_steps(most=4)
    counts = []
    for first, flags in enumerate([[1, 0, 1], [1, 1], [0, 0], [1, 1, 1]]):
        skipped.add(np.array(flags, bool), 10 * first, KEY)
        counts.append(skipped.in_a_row)
    assert counts == [1, 3, 0, 3]
    with pytest.raises(
        InputError, match=r"from step 97 on, .*uint32\(\[1, 2\]\)\), 97"
    ):
        skipped.add(np.array([True, True]), 100, KEY)


@pytest.mark.parametrize(
    ("steps_per_draw", "first"), [(1, 98), (2, 98), (3, 96), (7, 98), (50, 50)]
)
def test_the_key_is_that_of_the_first_step_that_crystals_were_sampled_for(
    steps_per_draw, first
):
    skipped = skipped_steps(4, steps_per_draw)
    skipped.add(np.array([True, True]), 98, KEY)
    with pytest.raises(InputError, match=rf"from step 98 on, .*\]\)\), {first}\)"):
        skipped.add(np.array([True, True]), 100, KEY)


@pytest.mark.parametrize("steps_per_draw", [1, 2])
def test_many_skipped_steps_stop_a_run_with_the_step_and_key_that_reproduce_them(
    tmp_path, monkeypatch, steps_per_draw
):
    monkeypatch.setattr(
        "xrdjax.run.make_model", lambda config, outputs: Linear(outputs)
    )
    config = tiny_config(
        max_skipped_steps=2,
        steps=200,
        steps_per_call=10,
        steps_per_draw=steps_per_draw,
        checkpoint_every=100,
        **{"evaluation.validation": 0},
    )
    source = BrokenSource(SOURCE, config.batch_size, share=0.3)
    with pytest.raises(InputError, match="not finite in 2 steps in a row") as error:
        train(config, tmp_path, source)
    begin, *data, first = map(
        int,
        re.search(
            r"from step (\d+) on, .*uint32\(\[(\d+), (\d+)\]\)\), (\d+)\), folded",
            str(error.value),
        ).groups(),
    )
    key = jax.random.wrap_key_data(jnp.array(data, jnp.uint32))
    flags = []
    for step in range(0, begin + 2, steps_per_draw):
        sampled_by = jax.random.fold_in(jax.random.fold_in(key, step), 0)
        flags.extend(source.broken_steps(sampled_by, steps_per_draw).tolist())
    assert flags[begin : begin + 2] == [True, True]
    assert not any(a and b for a, b in itertools.pairwise(flags[: begin + 1]))
    assert first <= begin < first + steps_per_draw
