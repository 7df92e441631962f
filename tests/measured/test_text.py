"""Text of columns, by a pattern written in many ways."""

import os

import numpy as np
import pytest
from five_peaks import TWO_THETA as ALL_ANGLES
from five_peaks import peaks
from laws import for_each

from xrdjax.errors import InputError
from xrdjax.measured.reader import read_pattern

TWO_THETA = ALL_ANGLES[::3]


def write(path, line="{:.4f} {:.6f}", head="", foot="", intensity=None):
    intensity = peaks(TWO_THETA) if intensity is None else intensity
    rows = [line.format(x, y) for x, y in zip(TWO_THETA, intensity, strict=True)]
    path.write_text(head + "\n".join(rows) + "\n" + foot, encoding="utf-8")
    return path


def assert_peaks(pattern, atol=1e-6):
    np.testing.assert_allclose(pattern.two_theta_deg, TWO_THETA, atol=1e-4)
    np.testing.assert_allclose(pattern.intensity, peaks(TWO_THETA), atol=atol)


@for_each(
    ("line", "head", "foot"),
    [
        ("{:.4f} {:.6f}", "", ""),
        ("  {:.4f}\t{:.6f}  ", "# two theta, counts\n", ""),
        ("{:.4f},{:.6f}", "2theta,intensity\n", ""),
        ("{:.4f}, {:.6f}", "##NAMES=Quartz\n", "##END=\n\n"),
        ("{:.4f};{:.6f};", "\ufeffWinkel;Zählrate\n", ""),
        ("{:.4f} | {:.6f}", "", ""),
        ("'{:.4f}','{:.6f}'", "", ""),
        ('"{:.4f}","{:.6f}"', '"2Theta","I"\n', ""),
        ("{:.4f} {:.6f} 1.5", "XYDATA\n! sample\n' another comment\n", ""),
        ("{:.4f} {:.6f} 1.5", "/*\n 1 2 3\n*/\n", "END\n"),
        ("{:.4e} {:.6e}", "", "\x1a"),
        ("{:.4f}° {:.6f}", "", ""),
        ("{:.4f}\u00a0{:.6f}", "", ""),
        ("| {:.4f} | {:.6f} |", "| 2theta | I |\n|---|---|\n", ""),
        ("12:30:59 {:.4f} {:.6f}", "time 2theta I\n", ""),
    ],
)
def test_columns_are_read_whatever_separates_them(tmp_path, line, head, foot):
    pattern = read_pattern(write(tmp_path / "a.xy", line, head, foot))
    assert_peaks(pattern, atol=1e-3)


@for_each(
    "line", ["{:.4f};{:.6f}", "{:.4f}\t{:.6f}", "{:.2f} {:.6f}", '"{:.4f}","{:.6f}"']
)
def test_decimal_commas_are_read(tmp_path, line):
    rows = [line.format(x, y) for x, y in zip(TWO_THETA, peaks(TWO_THETA), strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(rows).replace(".", ","))
    assert_peaks(read_pattern(tmp_path / "a.csv"))


@for_each(
    ("line", "swap"),
    [
        ("{:.3f} {:,.0f}", False),
        ("{:.3f};{:,.0f}", False),
        ('"{:.3f}","{:,.0f}"', False),
        ("{:.3f};{:,.0f}", True),
    ],
)
def test_thousands_may_be_separated(tmp_path, line, swap):
    rows = "\n".join(line.format(x, 3000 + x) for x in TWO_THETA)
    if swap:
        rows = rows.translate(str.maketrans(".,", ",."))
    (tmp_path / "a.txt").write_text(rows)
    intensity = read_pattern(tmp_path / "a.txt").intensity
    np.testing.assert_allclose(intensity, np.round(3000 + TWO_THETA), atol=1)


@for_each(("separator", "space"), [(";", " "), ("\t", " "), (";", "\u00a0")])
def test_blanks_may_separate_thousands(tmp_path, separator, space):
    rows = [f"{x:.3f}{separator}{3000 + x:,.0f}" for x in TWO_THETA]
    (tmp_path / "a.txt").write_text("\n".join(rows).replace(",", space), "utf-8")
    intensity = read_pattern(tmp_path / "a.txt").intensity
    np.testing.assert_allclose(intensity, np.round(3000 + TWO_THETA), atol=1)


@for_each("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@for_each("ends", ["\n", "\r", "\r\n"])
def test_any_encoding_and_line_end_is_read(tmp_path, encoding, ends):
    text = write(tmp_path / "a", head="Winkel Zählrate\n").read_text(encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(text.replace("\n", ends).encode(encoding))
    assert_peaks(read_pattern(tmp_path / "b.txt"))


def test_exponents_of_fortran_are_read(tmp_path):
    text = write(tmp_path / "a", "{:.6e} {:.9e}").read_text().replace("e", "D")
    (tmp_path / "b.xy").write_text(text)
    assert_peaks(read_pattern(tmp_path / "b.xy"), atol=1e-3)


def test_descending_angles_are_turned_round(tmp_path):
    lines = write(tmp_path / "a").read_text().splitlines()
    (tmp_path / "b.xy").write_text("\n".join(lines[::-1]))
    assert_peaks(read_pattern(tmp_path / "b.xy"))


def test_angles_measured_twice_are_averaged_with_a_note(tmp_path):
    path = with_rows(
        write(tmp_path / "a.xye", "{:.2f} {:.3f} 2"), "10 4 3", "10 8 4", at=17
    )
    pattern = read_pattern(path)
    at = np.searchsorted(pattern.two_theta_deg, 10.0)
    assert pattern.two_theta_deg[at] == 10 and pattern.intensity[at] == 6
    assert pattern.sigma[at] == 2.5
    assert any("more than once" in note for note in pattern.notes)


def test_ranges_that_overlap_are_merged_with_a_note(tmp_path):
    lines = write(tmp_path / "a").read_text().splitlines()
    third = len(lines) // 3
    for order in (
        lines[: third + 40] + lines[third:],
        (lines[: third + 40] + lines[third:])[::-1],
        lines + lines[::-1],
    ):
        (tmp_path / "b.xy").write_text("\n".join(order))
        pattern = read_pattern(tmp_path / "b.xy")
        assert_peaks(pattern, atol=1e-4)
        assert any("ranges that overlap" in note for note in pattern.notes)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no regular file"):
        read_pattern(tmp_path / "pipe")


def test_negative_intensities_become_zero_with_a_note(tmp_path):
    pattern = read_pattern(write(tmp_path / "a.xy", intensity=peaks(TWO_THETA) - 1))
    assert pattern.intensity.min() == 0 and pattern.intensity.max() > 900
    assert any("Negative" in note for note in pattern.notes)


PANALYTICAL = """[Measurement conditions]
Anode material,Cu
K-Alpha1 wavelength,1.5405980
K-Alpha2 wavelength,1.5444260
Ratio K-Alpha2/K-Alpha1,0.50000
K-Beta wavelength,1.3922500
"""


@for_each(
    ("head", "expected"),
    [
        ("# Calibrated wavelength = 0.414581\n", ((0.414581,), None)),
        ("# Wavelength: 4.14581e-11 m\n", ((0.414581,), None)),
        ("# Wavelength: 1e-10 m\n", ((1.0,), None)),
        (";RAW4.00\nAnode=Cu\nLambda1=1.5406\n[Data]\n", ((1.5406,), "Cu")),
        ("lambda (nm): 0.07093\n", ((0.7093,), None)),
        ("##XRAY WAVELENGTH=1.541838\n", ((1.541838,), None)),
        (PANALYTICAL, ((1.540598, 1.544426), "Cu")),
        ('\'Id: "" Anode: "Co" Scantype: "Coupled TwoTheta/Theta"\n', (None, "Co")),
        ("# sample 1.5\n", (None, None)),
        ("# Radiation: Co Ka\n", ((1.788996, 1.792835), "Co")),
        ("# Mo K-alpha1\n", ((0.70931715,), "Mo")),
        ("# Cu K-alpha, slit 1.0 mm\n", ((1.5405929, 1.5444274), "Cu")),
        ("# Fe kaolinite\n", (None, None)),
        ("# Wellenlänge: 0,7093 Å\n", ((0.7093,), None)),
        ("# photon energy: 12.39842 keV\n", ((1.0,), None)),
    ],
)
def test_the_radiation_is_read_from_the_header(tmp_path, head, expected):
    pattern = read_pattern(write(tmp_path / "a.xy", head=head))
    assert (pattern.wavelengths, pattern.anode) == (
        pytest.approx(expected[0]) if expected[0] else None,
        expected[1],
    )
    assert ("wavelengths" in pattern.origin) == (expected[0] is not None)


def with_rows(path, first, second, at=100):
    lines = path.read_text().splitlines()
    lines[at : at + 2] = [first, second]
    path.write_text("\n".join(lines))
    return path


def shuffle(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join(np.random.default_rng(0).permutation(lines)))


@for_each(
    ("break_it", "message"),
    [
        (lambda p: p.unlink(), "cannot read the pattern"),
        (lambda p: (p.unlink(), p.mkdir()), "is a folder"),
        (lambda p: p.write_text(""), "no line with two numbers"),
        (lambda p: p.write_bytes(bytes(range(256)) * 50), "binary file"),
        (lambda p: p.write_text("10 5\n20 7\n"), "has 2 points"),
        (lambda p: with_rows(p, "35.0 nan", "35.1 2"), "not finite"),
        (lambda p: shuffle(p), "expected increasing"),
        (lambda p: with_rows(p, "35.0 1", "35.1 one"), "line 102"),
        (lambda p: with_rows(p, "35.0", "35.1 1"), "line 101"),
        (lambda p: with_rows(p, "35,0 12,3", "35.1 1"), "line 101"),
        (lambda p: write(p, foot="90.1\n"), "is no table"),
        (lambda p: write(p, intensity=0 * TWO_THETA), "no positive intensity"),
        (lambda p: write(p, intensity=0 * TWO_THETA + 3), "everywhere"),
        (lambda p: write(p, "-{:.3f} {:.3f}"), "between 0 and 180"),
        (lambda p: write(p, "1{:07.3f} {:.3f}"), "between 0 and 180"),
        (lambda p: write(p, head="# HB-2A, Oak Ridge\n"), "neutron"),
        (lambda p: write(p, head="# time-of-flight\n"), "time of flight"),
        (lambda p: write(p, head="##XYDATA=(X++(Y..Y))\n"), "JCAMP-DX"),
        (lambda p: write(p, head="scan axis: Omega\n"), "rocking curve"),
        (lambda p: p.write_bytes(b"FI\0\0" * 200), "Rigaku"),
    ],
    name=lambda case: case[1],
)
def test_a_bad_pattern_is_refused_in_one_sentence(tmp_path, break_it, message):
    path = tmp_path / "a.xy"
    if path.is_dir():
        path.rmdir()
    write(path)
    break_it(path)
    with pytest.raises(InputError, match=message) as error:
        read_pattern(path)
    assert "\n" not in str(error.value) and "a.xy" in str(error.value)
