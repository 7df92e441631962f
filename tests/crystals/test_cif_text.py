"""Files that break the grammar are read all the same, and what was passed over is said."""

import random

import pytest
from laws import for_each

from xrdjax.crystals.cif import read_text

GOOD = """data_fluorite
_cell_length_a 5.463
_cell_length_b 5.463
_cell_length_c 5.463
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Ca 0 0 0
F 0.25 0.25 0.25
"""


def _formula(content: str | bytes) -> str:
    (structure,) = read_text(content, "typed.cif").structures
    assert len(structure.rotations) == 192
    return structure.formula


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode("utf-16"),
        GOOD.encode("utf-16-le"),
        GOOD.encode("utf-16-be"),
        GOOD.encode() + b"\x1a",
        GOOD.encode() + b"\x1a\0\0",
        GOOD.replace("data_fluorite", "data_fluorit\u00e9").encode("latin-1"),
        GOOD.replace("F m", "F\u00a0m").encode(),
        GOOD.replace("Ca 0 0 0", "Ca 0 0\u00a00").encode(),
        GOOD.replace("_alpha 90", "_alpha 90\u00b0").encode("cp1252"),
        GOOD.replace("F 0.25", "F \u22120.75").encode(),
        GOOD.replace("data_fluorite", "data_x\n_page 3\u20135").encode("cp1252"),
        GOOD.replace(
            "data_fluorite", "data_x\n_page 3\u20135\n_y \u00fc\ufffd"
        ).encode(),
    ],
)
def test_bytes_that_are_no_ascii_are_no_reason_to_refuse(content):
    assert _formula(content) == "CaF2"


@for_each(
    ("line", "shown"),
    [
        ("_publ_title 'never closed", "line 2 was passed over"),
        ("_journal_name Zeitschrift fuer Kristallographie", "fuer Kristallographie'"),
        ("_publ_title\n;\nA text that is never closed", "line 3 was passed over: ';'"),
        (
            "loop_\n_author\n_address\nBragg Leeds\nLaue",
            "line 6 was passed over: 'Laue'",
        ),
        ("_author 'd' Amour'", "passed over"),
        ("stray words", "line 2 was passed over: 'stray words'"),
        ("_year\n_page 3", None),
    ],
)
def test_one_spoilt_bibliographic_line_is_passed_over(line, shown):
    text = GOOD.replace("data_fluorite", f"data_fluorite\n{line}")
    reading = read_text(text, "typed.cif")
    assert reading.structures[0].formula == "CaF2"
    notes = "; ".join(note.text for note in reading.notes)
    assert (shown in notes) if shown else notes == ""


def test_a_file_without_its_first_line_is_read():
    assert _formula(GOOD.partition("\n")[2]) == "CaF2"
    assert _formula("saved from a page\n" + GOOD) == "CaF2"


@for_each(
    ("old", "new", "message"),
    [
        ("F 0.25 0.25 0.25", "F 0.25 0.25", "line 15, 'F 0.25 0.25', has not the 4"),
        ("Ca 0 0 0", "Ca 0 0 0 1", "line 14, 'Ca 0 0 0 1', has not the 4"),
        (GOOD, "<html>\nno crystal", "line 1 is '<html>'"),
    ],
)
def test_what_the_crystal_needs_is_refused_with_the_text_of_its_line(old, new, message):
    (failure,) = read_text(GOOD.replace(old, new), "typed.cif").failures
    assert "not a readable CIF" in failure.reason and message in failure.reason


def test_mutated_files_give_a_crystal_or_a_sentence():
    random.seed(0)
    junk = [
        b"1e300",
        b"'",
        b'"',
        b";\n",
        b"loop_\n",
        b"\x96",
        b"\0",
        b"?",
        b"-",
        b"9" * 50,
    ]
    for _ in range(300):
        content = bytearray(GOOD.encode())
        for _ in range(random.choice([1, 2, 5])):
            i = random.randrange(len(content))
            match random.randrange(4):
                case 0:
                    content[i:i] = random.choice(junk)
                case 1:
                    del content[i : i + random.choice([1, 3, 20])]
                case 2:
                    content[i] = random.randrange(256)
                case 3:
                    lines = content.split(b"\n")
                    lines.pop(random.randrange(len(lines)))
                    content = bytearray(b"\n".join(lines) + b"\n")
        reading = read_text(bytes(content), "mutated.cif")
        assert reading.structures or reading.failures[0].reason
