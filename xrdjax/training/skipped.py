"""Stops a run whose steps are skipped one after the other."""

import dataclasses

import numpy as np
from jaxtyping import Array, Bool, UInt32

from xrdjax.build import Schedule
from xrdjax.errors import InputError


@dataclasses.dataclass
class SkippedSteps:
    """Counts steps in a row whose loss or gradient was not finite.

    The count is not part of a checkpoint: a resumed run starts at zero.

    Attributes:
        schedule: how many are too many, and which steps share a key.
        in_a_row: number of steps skipped since the last one that was not.
    """

    schedule: Schedule
    in_a_row: int = 0

    def add(
        self,
        skipped: Bool[np.ndarray, " steps"],
        first: int,
        key: UInt32[Array, "2"],
    ) -> None:
        """Counts the steps of one call of the compiled program.

        Args:
            skipped: [steps] which steps were skipped.
            first: number of the call's first step.
            key: [2] data of the run's key.

        Raises:
            InputError: too many in a row; names a step and a key that reproduce it.
        """
        for step, was_skipped in enumerate(skipped, start=first):
            self.in_a_row = self.in_a_row + 1 if was_skipped else 0
            if self.in_a_row == self.schedule.max_skipped_steps:
                raise self._error(step, key)

    def _error(self, step: int, key: UInt32[Array, "2"]) -> InputError:
        """The error of the run whose `step` was one too many."""
        most = self.schedule.max_skipped_steps
        begin = step - most + 1
        sampled = begin - begin % self.schedule.steps_per_draw
        return InputError(
            f"loss or gradient was not finite in {most} steps in a row, from step "
            f"{begin} on, whose key is jax.random.fold_in(jax.random.wrap_key_data("
            f"jax.numpy.uint32({np.asarray(key).tolist()})), {sampled}), folded with "
            "each device's number: lower optimizer.learning_rate in another work "
            "directory, or raise max_skipped_steps to resume from the last checkpoint"
        )
