import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.measured.text import estimate_background, read_pattern, resample

TWO_THETA = np.linspace(5, 90, 851)


def peaks(two_theta, width=0.1):
    """Five Gaussian peaks of height 1000."""
    centres = np.array([12.0, 27.5, 40.0, 55.3, 80.0])
    return 1e3 * np.exp(
        -0.5 * ((two_theta[:, None] - centres[None, :]) / width) ** 2
    ).sum(axis=1)


def write(path, line="{:.4f} {:.6f}", head="", foot="", intensity=None):
    intensity = peaks(TWO_THETA) if intensity is None else intensity
    rows = [line.format(x, y) for x, y in zip(TWO_THETA, intensity, strict=True)]
    path.write_text(head + "\n".join(rows) + "\n" + foot, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "line,head,foot",
    [
        ("{:.4f} {:.6f}", "", ""),
        ("  {:.4f}\t{:.6f}  ", "# two theta, counts\n", ""),
        ("{:.4f},{:.6f}", "2theta,intensity\n", ""),
        ("{:.4f}, {:.6f}", "##NAMES=Quartz\n", "##END=\n\n"),
        ("{:.4f};{:.6f};", "\ufeffWinkel;Zählrate\n", ""),
        ("{:.4f} {:.6f} 1.5", "XYDATA\n! sample\n' another remark\n", ""),
    ],
)
def test_columns_are_read_whatever_parts_them(tmp_path, line, head, foot):
    two_theta, intensity = read_pattern(write(tmp_path / "a.xy", line, head, foot))
    np.testing.assert_allclose(two_theta, TWO_THETA, atol=1e-4)
    np.testing.assert_allclose(intensity, peaks(TWO_THETA), atol=1e-6)


def test_decimal_commas_are_read_where_semicolons_part_the_columns(tmp_path):
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


@pytest.mark.parametrize(
    "break_it,message",
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
)
def test_a_bad_pattern_is_refused_in_one_sentence(tmp_path, break_it, message):
    path = write(tmp_path / "a.xy")
    break_it(path)
    with pytest.raises(InputError, match=message) as error:
        read_pattern(path)
    assert "\n" not in str(error.value) and "a.xy" in str(error.value)


def test_a_straight_line_is_its_own_background():
    line = 100 + TWO_THETA
    # On the scale of the logarithms a straight line bends, so a little is clipped.
    background = estimate_background(TWO_THETA, line)
    inner = slice(25, -25)
    np.testing.assert_allclose(background[inner], line[inner], rtol=3e-3)


def test_peaks_are_no_background_and_background_no_peaks():
    slope = 200 * np.exp(-TWO_THETA / 30) + 30
    background = estimate_background(TWO_THETA, peaks(TWO_THETA) + slope)
    assert np.abs(background - slope)[25:-25].max() < 25
    assert np.abs(estimate_background(TWO_THETA, peaks(TWO_THETA))).max() < 1


def test_background_scales_with_the_intensity():
    y = peaks(TWO_THETA) + 50
    np.testing.assert_allclose(
        estimate_background(TWO_THETA, 7 * y), 7 * estimate_background(TWO_THETA, y)
    )


def test_resampling_on_its_own_grid_only_divides_by_the_maximum():
    y = peaks(TWO_THETA)
    pattern = resample(TWO_THETA, y, TWO_THETA)
    assert pattern.dtype == np.float32 and pattern.max() == 1
    np.testing.assert_allclose(pattern, y / y.max(), atol=1e-7)


def test_a_coarse_pattern_is_interpolated_linearly():
    grid = np.linspace(5, 90, 1701)
    y = TWO_THETA**2
    pattern = resample(TWO_THETA, y, grid)
    middle = (y[:-1] + y[1:]) / 2
    np.testing.assert_allclose(pattern[1::2], middle / y.max(), rtol=1e-6)


def test_where_nothing_was_measured_the_pattern_is_zero():
    kept = (TWO_THETA > 10) & (TWO_THETA < 70)
    pattern = resample(TWO_THETA[kept], peaks(TWO_THETA)[kept] + 9, TWO_THETA)
    assert not pattern[~kept].any() and pattern[kept].all()


def test_subtraction_removes_a_constant():
    plain = resample(TWO_THETA, peaks(TWO_THETA), TWO_THETA)
    raised = peaks(TWO_THETA) + 100
    pattern = resample(TWO_THETA, raised, TWO_THETA, subtract_background=True)
    assert pattern.min() == 0
    np.testing.assert_allclose(pattern, plain, atol=0.02)


def test_too_little_of_the_grid_is_refused():
    kept = TWO_THETA < 40
    with pytest.raises(InputError, match="at least half"):
        resample(TWO_THETA[kept], peaks(TWO_THETA)[kept], TWO_THETA)


def test_a_pattern_that_is_zero_on_the_grid_is_refused():
    wide = np.linspace(0, 120, 1201)
    with pytest.raises(InputError, match="zero everywhere"):
        resample(wide, (wide > 100).astype(float), TWO_THETA)


def test_measured_minerals_lose_their_background_and_keep_their_peaks(shared_data):
    with np.load(shared_data / "rruff_patterns.npz") as data:
        two_theta, measured = data["two_theta_deg"], data["intensity"][::40]
    for intensity in measured.astype(float):
        pattern = resample(two_theta, intensity, two_theta, subtract_background=True)
        # Peaks cover less than half of a pattern, so its median is background.
        assert np.median(pattern) < 0.6 * np.median(intensity / intensity.max())
        assert pattern.argmax() == intensity.argmax()
