"""The work directory of a run whose learning rate falls over its last steps."""

import pytest
from tiny_run import tiny_config

from xrdjax.checkpoints.records import write_records
from xrdjax.config import read_config
from xrdjax.errors import InputError
from xrdjax.training.workdir import check_decay, prepare_workdir


def stable(steps, decay_steps):
    decay = {"optimizer.decay_steps": decay_steps}
    return tiny_config(steps=steps, **{"optimizer.schedule": "stable_decay"} | decay)


def test_a_fall_that_has_not_begun_may_be_moved():
    old = stable(12, 4)
    for new in (stable(10, 4), stable(20, 4), stable(12, 6)):
        check_decay(old, new, 6)
        with pytest.raises(
            InputError, match="was to fall from step 8 to 12 and is now"
        ):
            check_decay(old, new, 10)
    check_decay(old, old, 10)


def test_a_run_is_cut_short_or_prolonged_until_its_rate_falls(tmp_path):
    prepare_workdir(stable(12, 4), tmp_path)
    write_records(tmp_path, {6: {}})
    prepare_workdir(stable(8, 2), tmp_path)
    assert read_config(tmp_path).steps == 8
    write_records(tmp_path, {6: {}, 8: {}})
    with pytest.raises(InputError, match="the newest checkpoint is of step 8"):
        prepare_workdir(stable(20, 4), tmp_path)
    assert read_config(tmp_path).steps == 8
