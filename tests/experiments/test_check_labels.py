"""The check of labels, on crystals whose space groups are known."""

import numpy as np
import pytest
from examples import general_structure
from laws import in_every_group

from experiments.check_labels import labels
from experiments.check_labels.__main__ import main
from experiments.check_labels.labels import Found, Labelled, describe, find_group
from xrdjax.crystals.crystal import expand_sites
from xrdjax.crystals.textbook import gallery
from xrdjax.symmetry.space_groups import space_group


def labelled(structure):
    """A crystal of the reference setting, one of the centred copies of each atom."""
    positions, site_of_atom = expand_sites(structure)
    centring = space_group(structure.space_group).centring_vectors
    images = positions + centring[:, None]
    steps = images[:, :, None] - positions
    steps -= np.round(steps)
    first = np.argmax(np.all(np.abs(steps) < 1e-6, axis=-1), axis=-1).min(axis=0)
    rows = np.unique(first)
    return Labelled(
        structure.space_group,
        structure.lattice,
        positions[rows],
        structure.elements[site_of_atom][rows],
        centring,
    )


@in_every_group
def test_atoms_on_general_positions_have_the_group_of_their_label(group):
    crystal = labelled(general_structure(group.number))
    atoms = len(crystal.elements)
    assert find_group(crystal) == (group.number, atoms)


def test_a_crystal_of_higher_symmetry_is_found_to_be_so():
    halite = labelled(gallery("halite"))
    assert find_group(halite) == (225, 2)
    same_element = halite._replace(elements=np.array([11, 11]))
    assert find_group(same_element) == (221, 1)


def test_spglib_fails_where_atoms_coincide():
    halite = labelled(gallery("halite"))
    rows = [0, 0]
    near = halite._replace(
        positions=halite.positions[rows], elements=halite.elements[rows]
    )
    assert find_group(near) is None


def test_every_wrong_label_is_counted_and_described():
    halite = labelled(gallery("halite"))
    found = [Found(225, 2), Found(221, 1), Found(221, 1), Found(225, 1), None]
    lines = describe("by frequency", [halite] * 5, found).splitlines()
    assert lines == [
        "by frequency: 1 of 5 (20.000%)",
        "  225 was found to be 221: 2",
        "  225 was found to be 225: 1",
        "  225, atoms too close for spglib: 1",
    ]


def test_the_command_checks_each_half(monkeypatch, capsys):
    asked = []

    def batch(key, prior, uniform):
        """In place of the compiled sampling."""
        asked.append(uniform)
        return [labelled(gallery("halite"))] * 3

    monkeypatch.setattr(labels, "_BATCH", 3)
    monkeypatch.setattr(labels, "_sample_batch", batch)
    main(["--count=9"])
    assert asked == [False, False, True, True]
    assert capsys.readouterr().out.splitlines() == [
        "by frequency: 5 of 5 (100.000%)",
        "all groups alike: 4 of 4 (100.000%)",
    ]


def test_too_few_crystals_are_refused(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--count=1"])
    assert end.value.code == 2
    assert "--count is 1: expected 2" in capsys.readouterr().err
