import dataclasses

import gemmi
import numpy as np
import pytest

from xrdjax.crystals.cif import Failure, Reading, read_text
from xrdjax.errors import InputError
from xrdjax.known.analyses import analyse_reading
from xrdjax.known.selection import select_crystals, split_of
from xrdjax.known.splits import Split, members, split_by_hash


def cif(name, symbol, cell, sites):
    """A CIF of a cubic crystal; sites are (element, x, y, z)."""
    lines = [f"data_{name}"]
    lines += [f"_cell_length_{axis} {cell}" for axis in "abc"]
    lines += [f"_cell_angle_{angle} 90" for angle in ("alpha", "beta", "gamma")]
    lines += ["loop_", "_space_group_symop_operation_xyz"]
    lines += [f"'{op.triplet()}'" for op in gemmi.SpaceGroup(symbol).operations()]
    lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol"]
    lines += [f"_atom_site_fract_{axis}" for axis in "xyz"]
    lines += [f"{e}{i} {e} {x} {y} {z}" for i, (e, x, y, z) in enumerate(sites)]
    return "\n".join(lines) + "\n"


CIFS = [
    cif("copper", "F m -3 m", 3.61, [("Cu", 0, 0, 0)]),
    cif("salt", "F m -3 m", 5.64, [("Na", 0, 0, 0), ("Cl", 0.5, 0.5, 0.5)]),
    cif("iron", "I m -3 m", 2.87, [("Fe", 0, 0, 0)]),
    cif("chloride", "P m -3 m", 4.12, [("Cs", 0, 0, 0), ("Cl", 0.5, 0.5, 0.5)]),
    cif("huge", "P m -3 m", 30.0, [("Po", 0, 0, 0)]),
    # The file claims less symmetry than the atoms have: the label is that of spglib.
    cif("polonium", "P 2 3", 3.35, [("Po", 0, 0, 0)]),
]
LIMITS = {"symprec": 0.01, "max_volume": 7000.0, "max_sites": 100, "max_edge": 500.0}
FAILURES = (Failure("broken.cif", "not a readable CIF"),)


def read(cifs=None):
    readings = [read_text(text, f"{i}.cif") for i, text in enumerate(cifs or CIFS)]
    structures = tuple(s for reading in readings for s in reading.structures)
    return Reading(structures, FAILURES)


def test_every_crystal_is_counted_for_one_reason():
    reading = read()
    empty = dataclasses.replace(reading.structures[0], occupancies=np.zeros(1))
    reading = Reading((*reading.structures, empty), reading.failures)
    selection = select_crystals(reading, (221, 225), split=None, **LIMITS)
    counts = dict(selection.counts)
    assert counts.pop("found") == sum(counts.values()) == len(CIFS) + 2
    assert counts["without_symmetry"] == 1
    assert counts["unreadable"] == 1
    assert counts["outside_the_limits"] == 1
    assert counts["outside_the_trained_groups"] == 1
    assert counts["of_types_in_the_statistics"] == 0
    assert counts["evaluated"] == len(selection.structures) == len(selection.labels)
    assert selection.failures[0] == FAILURES[0]
    assert len(selection.failures) == 2


def test_the_label_is_the_group_that_the_atoms_have():
    selection = select_crystals(read(CIFS[5:6]), (221, 225), split=None, **LIMITS)
    assert selection.labels.tolist() == [0]
    assert selection.structures[0].space_group == 221


@pytest.mark.parametrize(
    "limit", [{"max_sites": 1}, {"max_edge": 5.0}, {"max_volume": 100.0}]
)
def test_a_crystal_beyond_any_limit_is_outside_the_limits(limit):
    limits = LIMITS | limit
    selection = select_crystals(read(CIFS[:2]), (225,), split=None, **limits)
    assert selection.counts["outside_the_limits"] == 1
    assert selection.counts["evaluated"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_only_held_out_types_are_taken_and_each_crystal_is_on_one_side(seed):
    groups = (221, 225, 229)
    everything = select_crystals(read(CIFS[:4]), groups, split=None, **LIMITS)
    selection = select_crystals(
        read(CIFS[:4]), groups, split=Split(0.5, seed), **LIMITS
    )
    expected = split_by_hash(everything.type_keys, 0.5, seed)
    assert selection.type_keys == tuple(np.array(everything.type_keys)[expected])
    np.testing.assert_array_equal(selection.labels, everything.labels[expected])
    assert selection.counts["of_types_in_the_statistics"] == (~expected).sum()


@pytest.mark.parametrize("kind", ["type", "random"])
def test_parts_of_a_split_are_taken_from_crystals_that_were_analysed_before(kind):
    groups, split = (221, 225, 229), Split(0.5, 3, kind)
    known = analyse_reading(read(CIFS[:4]))
    for part in ("statistics", "held_out", "validation", "test"):
        selection = select_crystals(known, groups, split=split, part=part, **LIMITS)
        taken = members(known.analyses, split, part)
        names = [a.standard.name for a in known.analyses]
        assert [s.name for s in selection.structures] == list(np.array(names)[taken])
        counts = dict(selection.counts)
        assert counts.pop("found") == sum(counts.values()) == 5
        assert (~taken).sum() in counts.values()


def test_nothing_read_is_nothing_selected():
    selection = select_crystals(Reading((), ()), (225,), split=Split(0.2, 0), **LIMITS)
    assert selection.structures == () and selection.labels.shape == (0,)
    assert selection.counts["found"] == 0


def test_the_split_is_the_one_that_the_statistics_name():
    record = {"held_out": 0.2, "seed": 7, "source": "x"}
    assert split_of(record) == Split(0.2, 7, "type")
    assert split_of(record | {"split": "random"}) == Split(0.2, 7, "random")


@pytest.mark.parametrize("provenance", [{}, {"held_out": 0.0, "seed": 0}])
def test_without_held_out_types_the_message_says_what_to_do(provenance):
    with pytest.raises(InputError, match="--split=all"):
        split_of(provenance)
