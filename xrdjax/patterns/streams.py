"""Every random stream of a run, in one place so that no two coincide.

A run has one seed. Its key is split in two: one half is for parameters, the other for
training, where step s on device d folds in s and then d. Evaluation and validation fold
a number that no step reaches into the seed's key itself. For evaluation, known crystals
are chosen and measured on the host, by NumPy generators seeded with the same numbers.
"""

import jax
import numpy as np
from jaxtyping import Array, Key

# Beyond any number of a step or a device.
_EVALUATION = 2**31
_VALIDATION = 2**31 + 1
# Folded into the key of a step and device, which is no key of evaluation.
_DROPOUT = 2**31
# Folded into the key of training where a run starts from the weights of another.
_WARM_START = 2**31
# Folded into the key that instruments and specimens are sampled by.
_EXPOSURE = 2**31


def initial_keys(seed: int) -> tuple[Key[Array, ""], Key[Array, ""]]:
    """Keys of the parameters and of training."""
    parameters, training = jax.random.split(jax.random.key(seed))
    return parameters, training


def warm_start_key(training: Key[Array, ""], updates: int) -> Key[Array, ""]:
    """Key of training with weights that other runs have updated this many times.

    A run that starts from one of the same seed then does not see its crystals again.
    """
    return jax.random.fold_in(jax.random.fold_in(training, _WARM_START), updates)


def step_key(
    training: Key[Array, ""], step: Array | int, device: Array | int
) -> Key[Array, ""]:
    """Key of the crystals and measurements of one step on one device."""
    return jax.random.fold_in(jax.random.fold_in(training, step), device)


def dropout_key(step: Key[Array, ""]) -> Key[Array, ""]:
    """Key of a network's dropout in the step of this key."""
    return jax.random.fold_in(step, _DROPOUT)


def exposure_keys(
    measurement: Key[Array, ""],
) -> tuple[Key[Array, ""], Key[Array, ""], Key[Array, ""]]:
    """Keys of other phases, of exposures and of their noise, for measured crystals."""
    phases, exposures, noise = jax.random.split(
        jax.random.fold_in(measurement, _EXPOSURE), 3
    )
    return phases, exposures, noise


def evaluation_key(seed: int) -> Key[Array, ""]:
    """Key of the synthetic crystals of an evaluation; fold in the batch's number."""
    return jax.random.fold_in(jax.random.key(seed), _EVALUATION)


def validation_key(seed: int) -> Key[Array, ""]:
    """Key of the synthetic crystals for validation; fold in the batch's number."""
    return jax.random.fold_in(jax.random.key(seed), _VALIDATION)


def evaluation_generator(seed: int) -> np.random.Generator:
    """Generator of the specimens of known crystals in an evaluation."""
    return np.random.default_rng([seed, _EVALUATION])


def validation_generator(seed: int) -> np.random.Generator:
    """Generator of known crystals for validation, and of their specimens."""
    return np.random.default_rng([seed, _VALIDATION])
