"""Checkpoints: what is saved is restored, and what is damaged is noticed."""

import json
import resource
import shutil
import time
from contextlib import closing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from peaks import assert_same

from xrdjax.checkpoints.reader import restore
from xrdjax.checkpoints.writer import CheckpointWriter, save
from xrdjax.errors import InputError


def _items(value):
    params = {"layer": {"kernel": jnp.full((300, 40), value, jnp.float32)}}
    training = {"step": jnp.int32(value), "key": jnp.array([1, 2], jnp.uint32)}
    return {"params": params, "training": training}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A work directory with checkpoints of steps 1 and 2; not to be changed."""
    workdir = tmp_path_factory.mktemp("written")
    for step in (1, 2):
        save(workdir, step, _items(step), kept=2)
    return workdir


@pytest.fixture
def workdir(written, tmp_path):
    return shutil.copytree(written, tmp_path / "run")


def test_what_was_saved_comes_back_bit_for_bit(written):
    step, items = restore(written, _items(0))
    assert step == 2
    expected = _items(2)
    assert_same(items, expected)

    def kinds(tree):
        return jax.tree.map(lambda leaf: (leaf.dtype, leaf.sharding), tree)

    assert kinds(items) == kinds(expected)


def test_parameters_can_be_read_by_themselves(written):
    _, items = restore(written, {"params": _items(0)["params"]})
    assert list(items) == ["params"]


def test_only_the_newest_checkpoints_are_kept(workdir):
    save(workdir, 3, _items(3), kept=2)
    names = {path.name for path in (workdir / "checkpoints").iterdir()}
    assert names == {"2", "3"}
    assert set(json.loads((workdir / "checksums.json").read_text())) == {"2", "3"}


def test_the_best_is_kept_besides_the_newest(tmp_path):
    for step, accuracy in enumerate([0.2, 0.5, None, 0.5, 0.4, 0.3, None], start=1):
        save(tmp_path, step, _items(step), kept=2, accuracy=accuracy)
    names = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert names == {"4", "6", "7"}  # of equals the newer
    step, items = restore(tmp_path, _items(0), "best")
    assert step == int(items["training"]["step"]) == 4
    assert restore(tmp_path, _items(0))[0] == 7


def test_a_damaged_best_gives_way_to_the_next_best(tmp_path):
    for step, accuracy in ((1, 0.2), (2, 0.5), (3, 0.3)):
        save(tmp_path, step, _items(step), kept=3, accuracy=accuracy)
    _truncate(tmp_path / "checkpoints/2/params/manifest.ocdbt")
    with pytest.warns(UserWarning, match="checkpoints/2' is .* step 3 is used"):
        assert restore(tmp_path, _items(0), "best")[0] == 3


def test_the_best_of_a_run_without_validation_is_refused(written):
    with pytest.raises(InputError, match="has a validation accuracy: take the newest"):
        restore(written, _items(0), "best")
    with pytest.raises(InputError, match="is 'bets', expected newest or best"):
        restore(written, _items(0), "bets")


def test_what_is_saved_may_be_donated_while_it_is_written(tmp_path):
    items = {"params": {"kernel": jnp.arange(1_000_000.0)}}
    wanted = np.array(items["params"]["kernel"])
    change = jax.jit(lambda tree: jax.tree.map(jnp.negative, tree), donate_argnums=0)
    with closing(CheckpointWriter(tmp_path, kept=1)) as writer:
        writer.save(1, items)
        for _ in range(5):
            items = change(items)
    _, restored = restore(tmp_path, items)
    np.testing.assert_array_equal(restored["params"]["kernel"], wanted)


@pytest.fixture
def small_disk():
    """As if no file could grow beyond 20 kB: like a full disk, but for its name."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_reported_and_the_last_checkpoint_stays(workdir, small_disk):
    rng = np.random.default_rng(0)
    items = {"params": {"kernel": jnp.asarray(rng.random(100_000, np.float32))}}
    writer = CheckpointWriter(workdir, kept=1)
    writer.save(3, items)
    with pytest.raises(InputError, match=r"cannot write to .* \(File too large\)"):
        writer.close()
    writer.check()  # a failure is reported once
    step, _ = restore(workdir, _items(0), remove_damaged=True)
    assert step == 2
    names = {path.name for path in (workdir / "checkpoints").iterdir()}
    assert names == {"1", "2"}


def test_a_failure_is_reported_as_soon_as_it_is_known(workdir, small_disk):
    rng = np.random.default_rng(0)
    items = {"params": {"kernel": jnp.asarray(rng.random(100_000, np.float32))}}
    with closing(CheckpointWriter(workdir, kept=1)) as writer:
        writer.save(3, items)
        with pytest.raises(InputError, match="File too large"):
            for _ in range(600):
                writer.check()
                time.sleep(0.1)


def test_a_directory_without_checkpoints_has_nothing_to_restore(tmp_path):
    assert restore(tmp_path, _items(0)) is None


def _truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [_truncate, _flip_a_bit, lambda path: path.unlink()])
def test_damage_to_any_file_is_noticed_and_the_checkpoint_before_is_used(
    workdir, damage
):
    files = [path for path in (workdir / "checkpoints/2").rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        content = path.read_bytes()
        damage(path)
        with pytest.warns(UserWarning, match="checkpoints/2' is truncated or corrupt"):
            step, items = restore(workdir, _items(0))
        assert step == int(items["training"]["step"]) == 1
        path.write_bytes(content)


def test_a_checkpoint_that_was_not_finished_is_passed_over(workdir):
    # As if the run had been killed between the checkpoint and its checksum.
    checksums = json.loads((workdir / "checksums.json").read_text())
    (workdir / "checksums.json").write_text(json.dumps({"1": checksums["1"]}))
    with pytest.warns(UserWarning, match="checkpoints/2'"):
        step, _ = restore(workdir, _items(0))
    assert step == 1


def test_a_first_checkpoint_that_was_not_finished_is_removed(tmp_path):
    save(tmp_path, 1, _items(1), kept=2)
    (tmp_path / "checksums.json").unlink()
    (tmp_path / "checkpoints/2.orbax-checkpoint-tmp").mkdir()
    with pytest.warns(UserWarning, match="there is no other"):
        assert restore(tmp_path, _items(0), remove_damaged=True) is None
    assert not list((tmp_path / "checkpoints").iterdir())


def test_steps_after_damage_can_be_saved_again(workdir):
    _truncate(workdir / "checkpoints/2/params/manifest.ocdbt")
    with pytest.warns(UserWarning, match="step 1 is used"):
        restore(workdir, _items(0), remove_damaged=True)
    save(workdir, 2, _items(7), kept=2)
    step, items = restore(workdir, _items(0))
    assert (step, int(items["training"]["step"])) == (2, 7)


def test_a_run_whose_checkpoints_are_all_damaged_says_so(workdir):
    for step in "12":
        _truncate(workdir / "checkpoints" / step / "params/manifest.ocdbt")
    with pytest.raises(InputError, match="every checkpoint in .* is truncated"):
        restore(workdir, _items(0))
