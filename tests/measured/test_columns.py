"""Which column is which, by its name or by its numbers."""

import numpy as np
import pytest
from laws import for_each

from xrdjax.errors import InputError
from xrdjax.instrument.radiation import ANODES
from xrdjax.measured.columns import meaning
from xrdjax.measured.reader import read_pattern

X = np.arange(5.0, 90.0, 0.25)
Y = np.round(50 + 1000 * np.exp(-0.5 * ((X - 30) / 0.5) ** 2), 3)
Q = 4 * np.pi / 1.5 * np.sin(np.deg2rad(X / 2))
D = 2 * np.pi / Q


def write(path, columns, head="", separator=" "):
    rows = [
        separator.join(f"{value:.6f}" for value in row)
        for row in zip(*columns, strict=True)
    ]
    path.write_text(head + "\n".join(rows) + "\n")
    return path


@for_each(
    ("name", "expected"),
    [
        ("2Theta", "two_theta"),
        ("2-Theta Angle (Degrees)", "two_theta"),
        ("°2θ", "two_theta"),
        ("Pos. [°2Th.]", "two_theta"),
        ("2th_deg", "two_theta"),
        ("tth", "two_theta"),
        ("Angle", "two_theta"),
        ("q_nm^-1", "q"),
        ("q (1/A)", "q"),
        ("d-spacing [Å]", "d"),
        ("Intensity", "intensity"),
        ("Iobs [cts]", "intensity"),
        ("Counts/s", "intensity"),
        ("I", "intensity"),
        ("sigma", "sigma"),
        ("Error", "sigma"),
        ("ESD", "sigma"),
        ("Ycalc", "other"),
        ("Background", "other"),
        ("Time", "other"),
        ("index", "other"),
        ("Normalized counts", "intensity"),
        ("TimePerStep", "other"),
        ("sample", None),
        ("sqrt(I)", "intensity"),
        ("log10(counts)", "intensity"),
    ],
)
def test_names_mean_what_programs_mean_by_them(name, expected):
    assert meaning(name) == expected


@for_each(
    ("columns", "head"),
    [
        ((X, Y), ""),
        ((Y, X), "Intensity 2Theta\n"),
        ((X, D, Y), "2Theta d Iobs\n"),
        ((X, D, Y), ""),
        ((np.arange(len(X)), X, Y), "index 2theta I\n"),
        ((np.arange(1, len(X) + 1), X, Y), ""),
        ((X * 60, X, Y), "Time[s] Angle Intensity\n"),
        ((X, 2 * Y, Y), "# 2theta Ycalc Yobs\n"),
        ((X, Y, 2 * Y, 3 * Y), "2theta I I2 I3\n"),
        ((X, Y, 2 * Y), "2theta T=300 T=310\n"),
        ((X, Y, 2 * Y, 3 * Y), '"2-theta" "obs" "calc" "bkg"\n'),
        ((X, Y), "Angle PSD\n(deg) (cps)\n"),
        ((X * 60, X, Y), ""),
        ((10 * np.arange(1, len(X) + 1), X, Y), ""),
        ((D, X, Y), ""),
        ((X, Y, D), ""),
    ],
)
def test_two_theta_and_intensity_are_found_among_other_columns(tmp_path, columns, head):
    pattern = read_pattern(write(tmp_path / "a.txt", columns, head))
    np.testing.assert_allclose(pattern.two_theta_deg, X, atol=1e-6)
    np.testing.assert_allclose(pattern.intensity, Y, atol=1e-6)
    assert pattern.sigma is None


def test_sigma_is_named_or_the_third_column(tmp_path):
    for head in ("", "sigma 2theta I\n"):
        columns = (X, Y, np.sqrt(Y)) if not head else (np.sqrt(Y), X, Y)
        pattern = read_pattern(write(tmp_path / "a.xye", columns, head))
        np.testing.assert_allclose(pattern.sigma, np.sqrt(Y), atol=1e-6)


@for_each(
    ("column", "name"),
    [(Q, "q_A^-1"), (10 * Q, "q [1/nm]"), (D, "d"), (D / 10, "d (nm)")],
)
def test_q_and_d_become_two_theta_of_cu_k_alpha1(tmp_path, column, name):
    path = write(tmp_path / "a.csv", (column, Y), f"{name},Intensity\n", ",")
    pattern = read_pattern(path)
    wavelength = ANODES["Cu"].k_alpha1
    assert pattern.wavelengths == (wavelength,)
    expected = 2 * np.rad2deg(np.arcsin(wavelength * Q / (4 * np.pi)))
    np.testing.assert_allclose(pattern.two_theta_deg, expected, atol=1e-3)
    np.testing.assert_allclose(pattern.intensity, Y, atol=1e-6)
    assert any("Converted from" in note for note in pattern.notes)


@for_each(
    ("columns", "head"),
    [
        ((10 * Q, Y), "# q (nm$^{-1}$)   intensity\n"),
        ((Q, Y), "Q I\n1/A counts\n"),
        ((10 * Q, Y), "q counts\n(1/nm) (-)\n"),
    ],
)
def test_units_are_read_from_a_line_of_their_own_and_from_latex(
    tmp_path, columns, head
):
    pattern = read_pattern(write(tmp_path / "a.txt", columns, head))
    expected = 2 * np.rad2deg(np.arcsin(ANODES["Cu"].k_alpha1 * Q / (4 * np.pi)))
    np.testing.assert_allclose(pattern.two_theta_deg, expected, atol=1e-3)


@for_each(
    ("stored", "name"),
    [
        (np.sqrt(Y), "sqrt(I)"),
        (np.log10(Y), "log10(I)"),
        (np.log(Y), "ln(counts)"),
        (np.sqrt(np.round(Y)), ""),
    ],
)
def test_functions_of_the_intensity_are_undone_with_a_note(tmp_path, stored, name):
    head = f"2theta {name}\n" if name else ""
    pattern = read_pattern(write(tmp_path / "a.txt", (X, stored), head))
    np.testing.assert_allclose(pattern.intensity, Y, rtol=1e-4, atol=0.6)
    assert any("The column holds" in note for note in pattern.notes)


def test_intensities_that_are_no_roots_of_counts_stay_as_they_are(tmp_path):
    for factor in (1.0, 0.5, 0.1, 1 / Y.max()):
        pattern = read_pattern(write(tmp_path / "a", (X, factor * np.round(Y))))
        np.testing.assert_allclose(pattern.intensity, factor * np.round(Y), atol=1e-5)


def test_q_beyond_reach_is_left_out_with_a_note(tmp_path):
    pattern = read_pattern(write(tmp_path / "a", (Q * 3, Y), "q(1/A) I\n"))
    assert pattern.two_theta_deg[-1] < 180 and len(pattern.intensity) < len(Y)
    assert any("cannot reach" in note for note in pattern.notes)


def test_a_column_of_d_gives_the_wavelength(tmp_path):
    pattern = read_pattern(write(tmp_path / "a", (X, D, Y)))
    assert pattern.wavelengths == pytest.approx((1.5,), abs=1e-4)
    assert pattern.origin["wavelengths"] == "column of d"


PEAKS = np.cumsum(np.tile([0.3, 2.0, 0.2, 0.9, 0.12], 30))


@for_each(
    ("columns", "head", "message"),
    [
        ((Q, Y), "q I\n", "without a unit"),
        ((X / 2, Y), "Theta Intensity\n", "twice the angle"),
        ((X // 1, 0 * X, Y // 1, 0 * X), "", "commas both"),
        ((X, Y, X, X, X), "2theta I h k l\n", "list of reflections"),
        ((X, Y, X), "2theta,Height,FWHM\n", "list of peaks"),
        ((PEAKS, 50 + PEAKS % 7), "", "list of peaks"),
        ((10 * Q, Y), "", "as those of q do"),
        ((X / 2, X, Y), "", "two columns that could be two theta"),
    ],
)
def test_other_tables_are_refused(tmp_path, columns, head, message):
    with pytest.raises(InputError, match=message):
        separator = "," if "commas" in message else " "
        read_pattern(write(tmp_path / "a.txt", columns, head, separator))
