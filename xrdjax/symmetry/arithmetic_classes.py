"""The 73 arithmetic crystal classes: point groups that act on lattices."""

import re

from xrdjax.symmetry.space_groups import space_group


def arithmetic_class(number: int) -> str:
    """Symbol of the symmorphic group in the arithmetic crystal class of a space group.

    The Hermann-Mauguin symbol with an axis in place of each screw axis and m in place
    of each glide plane: "P n m a" (62) is in "P m m m", "I -4 c 2" in "I -4 m 2".
    International Tables A (2016), ch. 1.3.

    Raises:
        InputError: the number is not one of 1 to 230.
    """
    centring, *directions = space_group(number).hermann_mauguin.split()
    symmorphic = [
        re.sub("[abcden]", "m", re.sub("([2346])[1-5]", r"\1", direction))
        for direction in directions
    ]
    return " ".join([centring, *symmorphic])
