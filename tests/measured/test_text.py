import numpy as np
import pytest
from five_peaks import TWO_THETA, peaks
from laws import for_each

from xrdjax.errors import InputError
from xrdjax.measured.text import read_pattern


def write(path, line="{:.4f} {:.6f}", head="", foot="", intensity=None):
    intensity = peaks(TWO_THETA) if intensity is None else intensity
    rows = [line.format(x, y) for x, y in zip(TWO_THETA, intensity, strict=True)]
    path.write_text(head + "\n".join(rows) + "\n" + foot, encoding="utf-8")
    return path


@for_each(
    ("line", "head", "foot"),
    [
        ("{:.4f} {:.6f}", "", ""),
        ("  {:.4f}\t{:.6f}  ", "# two theta, counts\n", ""),
        ("{:.4f},{:.6f}", "2theta,intensity\n", ""),
        ("{:.4f}, {:.6f}", "##NAMES=Quartz\n", "##END=\n\n"),
        ("{:.4f};{:.6f};", "\ufeffWinkel;Zählrate\n", ""),
        ("{:.4f} {:.6f} 1.5", "XYDATA\n! sample\n' another comment\n", ""),
    ],
)
def test_columns_are_read_whatever_separates_them(tmp_path, line, head, foot):
    two_theta, intensity = read_pattern(write(tmp_path / "a.xy", line, head, foot))
    np.testing.assert_allclose(two_theta, TWO_THETA, atol=1e-4)
    np.testing.assert_allclose(intensity, peaks(TWO_THETA), atol=1e-6)


def test_decimal_commas_are_read_where_semicolons_separate_the_columns(tmp_path):
    path = write(tmp_path / "a.csv", "{:.4f};{:.6f}")
    path.write_text(path.read_text().replace(".", ","))
    np.testing.assert_allclose(read_pattern(path)[0], TWO_THETA, atol=1e-4)


def test_negative_intensities_become_zero(tmp_path):
    path = write(tmp_path / "a.xy", intensity=peaks(TWO_THETA) - 1)
    intensity = read_pattern(path)[1]
    assert intensity.min() == 0 and intensity.max() > 900


def with_rows(path, first, second):
    lines = path.read_text().splitlines()
    lines[100:102] = [first, second]
    path.write_text("\n".join(lines))
    return path


@for_each(
    ("break_it", "message"),
    [
        (lambda p: p.unlink(), "cannot read the pattern"),
        (lambda p: p.write_text(""), "no line with two numbers"),
        (lambda p: p.write_bytes(bytes(range(256)) * 50), "no line with two numbers"),
        (lambda p: p.write_text("10 5\n20 7\n"), "has 2 points"),
        (lambda p: with_rows(p, "15.0 nan", "15.1 2"), "not finite"),
        (lambda p: with_rows(p, "15.0 1", "14.0 1"), "expected increasing"),
        (lambda p: with_rows(p, "15.0 1", "15.0 1"), "expected increasing"),
        (lambda p: with_rows(p, "15.0 1", "15.1 one"), "line 102"),
        (lambda p: with_rows(p, "15.0", "15.1 1"), "line 101"),
        (lambda p: with_rows(p, "15,0 12,3", "15.1 1"), "line 101"),
        (lambda p: write(p, intensity=0 * TWO_THETA), "no positive intensity"),
        (lambda p: write(p, "-{:.3f} {:.3f}"), "expected increasing"),
        (lambda p: write(p, "1{:07.3f} {:.3f}"), "between 0 and 180"),
    ],
    name=lambda case: case[1],
)
def test_a_bad_pattern_is_refused_in_one_sentence(tmp_path, break_it, message):
    path = write(tmp_path / "a.xy")
    break_it(path)
    with pytest.raises(InputError, match=message) as error:
        read_pattern(path)
    assert "\n" not in str(error.value) and "a.xy" in str(error.value)
