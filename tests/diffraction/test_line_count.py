"""The number of lines, against the reflections that gemmi lists."""

import gemmi
import numpy as np
from laws import for_each

from xrdjax.crystals.textbook import gallery, gallery_names
from xrdjax.diffraction.line_count import line_count

S_MAX = 0.75


def gemmi_group(structure):
    """The setting that the operations of a structure are those of."""
    ops = []
    for rotation, translation in zip(
        structure.rotations, structure.translations, strict=True
    ):
        op = gemmi.Op()
        op.rot = (gemmi.Op.DEN * rotation).astype(int).tolist()
        op.tran = np.rint(gemmi.Op.DEN * translation).astype(int).tolist()
        ops.append(op)
    return gemmi.find_spacegroup_by_ops(gemmi.GroupOps(ops))


@for_each("name", [*gallery_names()[::4], "albite", "gypsum"])  # other settings, too
def test_lines_are_the_different_spacings_of_the_reflections_that_gemmi_lists(name):
    structure = gallery(name)
    cell = gemmi.UnitCell(*structure.unit_cell)
    group = gemmi_group(structure)
    miller = gemmi.make_miller_array(cell, group, 1 / S_MAX)
    s = np.sort([1 / cell.calculate_d(h) for h in miller.tolist()])
    expected = 1 + np.sum(np.diff(s) > 1e-6 * s[1:])
    assert line_count(structure, (1e-6, S_MAX)) == expected


def test_the_first_lines_of_diamond_are_111_220_311_400_and_331():
    a = gallery("diamond").unit_cell[0]
    # 200 is absent by the d glide, 222 only by the atoms
    for squares, count in {3: 1, 4: 1, 8: 2, 11: 3, 12: 4, 16: 5, 19: 6}.items():
        s_max = np.sqrt(squares + 0.5) / a
        assert line_count(gallery("diamond"), (0.1 / a, s_max)) == count


def test_no_line_is_found_in_a_range_before_the_first():
    assert line_count(gallery("halite"), (0.001, 0.01)) == 0
