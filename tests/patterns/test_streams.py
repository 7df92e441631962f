"""No two random streams of a run are the same."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from xrdjax.patterns import streams


def test_no_stream_meets_another():
    """Of two seeds: parameters, training, taken up or not, dropout, evaluation, validation, batches."""
    keys = []
    for seed in (0, 1):
        parameters, training = streams.initial_keys(seed)
        taken_up = [streams.warm_start_key(training, updates) for updates in (1, 7)]
        keys += [parameters, training, *taken_up]
        for step, device in itertools.product((0, 1, 7, 2**31 - 1), (0, 1, 7)):
            for run in (training, *taken_up):
                key = streams.step_key(run, jnp.int32(step), device)
                keys += [key, streams.dropout_key(key)]
        for of_set in (streams.evaluation_key(seed), streams.validation_key(seed)):
            keys += [of_set, *(jax.random.fold_in(of_set, i) for i in range(5))]
    data = [tuple(np.asarray(jax.random.key_data(key)).tolist()) for key in keys]
    assert len(set(data)) == len(data)


def test_generators_of_the_host_differ_by_seed_and_purpose():
    firsts = [
        generator(seed).random()
        for generator in (streams.evaluation_generator, streams.validation_generator)
        for seed in (0, 1)
    ]
    assert len(set(firsts)) == 4
    assert streams.evaluation_generator(0).random() == firsts[0]
