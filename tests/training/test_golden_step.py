"""One training step of the real thing, small, against stored numbers.

From a seed to updated parameters: prior, sampling, symmetry check, reflections,
structure factors, intensities, peaks, network, loss, gradient and optimizer. A change
that is meant to move no number moves none of these.

To renew them after a change that is meant to, for which the commit gives the reason:

    PYTHONPATH=tests python tests/training/test_golden_step.py

and copy what it prints.
"""

import jax
import numpy as np
from peaks import adam

from xrdjax import devices
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.measurement import make_measurement
from xrdjax.models.resnet import ResNet
from xrdjax.patterns.synthetic import make_synthetic_source
from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import Limits
from xrdjax.training.state import init_state
from xrdjax.training.step import CallSize, Learner, make_train_steps

GOLDEN = {
    "loss": 4.669258,
    "gradient": 7.638400,
    "parameters": 24.296778,
}
# The compiler's optimizations move these numbers by 4e-5.
TOLERANCE = 1e-3


def norm(tree) -> float:
    """Euclidean norm of all leaves together."""
    return float(sum(np.sum(np.square(x)) for x in jax.tree.leaves(tree)) ** 0.5)


def first_step():
    """Loss, norm of the gradient and of the parameters after one step."""
    statistics = load_statistics(min_crystals=50)
    grid = TwoThetaGrid(two_theta_min_deg=20.0, two_theta_max_deg=60.0, points=256)
    limits = Limits(max_volume=600.0, max_sites=12, max_atoms=64)
    source = make_synthetic_source(statistics, make_measurement(grid), limits)
    model = ResNet((1,), False, len(statistics.space_groups), width=4, groups=2)
    learner, mesh = Learner(model, adam()), devices.local_mesh(1)
    state = init_state(0, model, learner.optimizer, grid.points, mesh)
    source = devices.replicate(source, mesh)
    program = make_train_steps(learner, mesh, CallSize(8, steps=1))
    state, metrics = program(state, source)
    # Adam's first moment after one step is a tenth of the gradient
    moment = state.opt_state[0].mu
    return {
        "loss": float(metrics["loss"]),
        "gradient": norm(moment) / (1 - 0.9),
        "parameters": norm(state.params),
    }


def test_the_first_step_from_a_seed_has_the_stored_loss_gradient_and_parameters():
    found = first_step()
    assert found.keys() == GOLDEN.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value, GOLDEN[name], rtol=TOLERANCE, err_msg=name)


if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    print(first_step())
