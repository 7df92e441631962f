"""The files of instruments, by one small pattern typed in each format."""

import struct

import numpy as np
import pytest
from laws import for_each
from typed_patterns import (
    CIF_BEAM,
    COLUMNS,
    COUNT,
    DOUBLET,
    FORMATS,
    FXYE,
    START,
    STATING_LINES,
    STD,
    STEP,
    X,
    Y,
    asc,
    brml,
    chi,
    cif,
    gsas,
    ras,
    rasx,
    raw1,
    raw3,
    raw4,
    raw_data,
    rd,
    udf,
    uxd,
    xrdml,
    zipped,
)

from xrdjax.errors import InputError
from xrdjax.instrument.radiation import ANODES
from xrdjax.measured.reader import read_pattern


def as_file(path, contents):
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return path


@for_each("name", FORMATS)
def test_every_format_gives_the_same_pattern(tmp_path, name):
    pattern = read_pattern(as_file(tmp_path / "a.dat", FORMATS[name]))
    np.testing.assert_allclose(pattern.two_theta_deg, X, atol=1e-4)
    np.testing.assert_allclose(pattern.intensity, Y, atol=6 if name[1] == "d" else 1e-3)
    if name in STATING_LINES:
        assert pattern.wavelengths == pytest.approx(DOUBLET, abs=1e-6)
    stated = name in STATING_LINES - {"asc", "raw 1"}
    assert pattern.anode == "Cu" if stated else pattern.anode in (None, "Cu")
    if pattern.sigma is not None:
        np.testing.assert_allclose(pattern.sigma, np.sqrt(Y), atol=0.6)
    assert pattern.origin["intensity"] and not pattern.notes


def test_angles_of_double_precision_stay_so(tmp_path):
    step = 0.2512345678901
    data = raw3().replace(struct.pack("<d", STEP), struct.pack("<d", step))
    pattern = read_pattern(as_file(tmp_path / "a.raw", data))
    assert pattern.two_theta_deg[-1] == START + step * (COUNT - 1)


def test_a_monochromator_leaves_one_line(tmp_path):
    pattern = read_pattern(as_file(tmp_path / "a.rasx", rasx("Ka1")))
    assert pattern.wavelengths == (1.5406,)


@for_each(
    ("contents", "scans"),
    [
        (brml(raw_data(), raw_data(shift=1.0)), 2),
        (raw3(ranges=3), 3),
        (raw1(1) + raw1(), 2),
        (ras() + ras(), 2),
        (xrdml(scans=2), 2),
    ],
)
def test_scans_are_counted_from_one_and_the_first_is_read_with_a_note(
    tmp_path, contents, scans
):
    path = as_file(tmp_path / "a.dat", contents)
    assert f"Of {scans} scans" in read_pattern(path).notes[0]
    assert not read_pattern(path, scan=scans).notes
    with pytest.raises(InputError, match=f"holds {scans} scans"):
        read_pattern(path, scan=scans + 1)


def test_the_first_powder_pattern_is_taken_where_others_stand_before_it(tmp_path):
    path = as_file(tmp_path / "a.brml", brml(raw_data(axis="Phi"), raw_data()))
    assert "number 2 was read" in read_pattern(path).notes[0]
    with pytest.raises(InputError, match="Phi"):
        read_pattern(path, scan=1)


def test_the_number_chooses_the_scan(tmp_path):
    path = as_file(tmp_path / "a.brml", brml(raw_data(), raw_data(shift=1.0)))
    np.testing.assert_allclose(read_pattern(path, scan=2).two_theta_deg, X + 1)


def test_chi_over_q_becomes_two_theta(tmp_path):
    q = 4 * np.pi / ANODES["Cu"].k_alpha1 * np.sin(np.deg2rad(X / 2))
    path = as_file(tmp_path / "a.chi", chi("Q (Inverse Nanometres)", 10 * q))
    np.testing.assert_allclose(read_pattern(path).two_theta_deg, X, atol=1e-4)


OMEGA = '<positions axis="2Theta"><commonPosition>30</commonPosition></positions>'
ENTITY = '<!DOCTYPE a [<!ENTITY b "ccc"><!ENTITY d "&b;&b;">]>'


@for_each(
    ("contents", "message"),
    [
        (xrdml(kind="Area measurement"), "map of an area"),
        (xrdml(axis="Omega", positions=OMEGA), "rocking curve"),
        (xrdml(axis="Omega"), "rocking curve"),
        (xrdml(axis="Phi"), "scan of 'Phi'"),
        (xrdml(data=""), "without intensities"),
        (xrdml(data="<counts>1 2 x</counts>"), "no numbers"),
        (xrdml(head=ENTITY), "document type or entities"),
        (xrdml()[:-30], "damaged XML"),
        (xrdml().replace("xrdMeasurements", "html"), "XML of 'html'"),
        (xrdml().replace("41.75<", "5.0<").replace("10.0<", "0.02<"), "reflectivity"),
        (brml(raw_data(axis="Phi")), "scan of Theta, Phi"),
        (brml(raw_data(length=2)), "image of a detector"),
        (brml("<RawData/>"), "without points"),
        (brml(raw_data())[:-400], "damaged zip"),
        (zipped({"xl/workbook.xml": ""}), "Excel"),
        (zipped({"a.xy": COLUMNS}), "neither brml nor rasx"),
        (zipped({"Data0/Image0.img": ""}), "no profile"),
        (ras("Omega"), "rocking curve"),
        (ras()[:-60], "cut before"),
        (asc().replace("*COUNT = 128", "*COUNT = 130"), "is damaged"),
        (uxd("_COUNTS\n1 2 x"), "damaged numbers"),
        (raw3(kind=3), "rocking curve"),
        (raw3()[:-4], "fewer than the 128 points"),
        (raw3()[:600], "cut raw file"),
        (raw4(b"Rocking Curve"), "rocking curve"),
        (raw4()[:-4], "fewer than"),
        (b"RAW2" + bytes(400), "version 2"),
        (rd()[:-2], "holds 127 of 128"),
        (rd()[:200], "cut rd file"),
        (udf().replace("ScanStepSize", "Step"), "damaged udf"),
        (gsas("FXYE", FXYE, 1, "SLOG"), "time of flight"),
        (gsas("STD", STD[:-10], 10), "holds 118 of 128"),
        (gsas("ALT", STD, 10), "kind 'ALT'"),
        (gsas("STD", STD, 10, head="neutron powder"), "neutron"),
        (cif("neutron"), "neutron"),
        (CIF_BEAM + "_cell_length_a 5.4\n_pd_phase_name x\n", "without a measured"),
        (chi("Azimuthal angle"), "over 'Azimuthal angle'"),
        (bytes(range(256)) * 8, "binary file"),
    ],
    name=lambda case: case[1],
)
def test_what_is_no_powder_pattern_is_refused_by_name(tmp_path, contents, message):
    with pytest.raises(InputError, match=message) as error:
        read_pattern(as_file(tmp_path / "a.dat", contents))
    assert "\n" not in str(error.value) and ": " in str(error.value)


@for_each(
    "name", ["brml", "rasx", "raw 3", "raw 4", "rd", "xrdml", "ras", "cif", "gsas std"]
)
def test_damage_ends_in_one_sentence_or_a_pattern(tmp_path, name):
    contents = FORMATS[name]
    data = contents if isinstance(contents, bytes) else contents.encode()
    random = np.random.default_rng(0)
    for _ in range(25):
        damaged = bytearray(data[: random.integers(1, len(data) + 1)])
        for place in random.integers(0, len(damaged), 3):
            damaged[place] = random.integers(0, 256)
        try:
            read_pattern(as_file(tmp_path / "a", bytes(damaged)))
        except InputError as error:
            assert "\n" not in str(error)


def test_members_of_a_zip_have_a_largest_size(tmp_path):
    path = as_file(tmp_path / "a.brml", brml(b" " * (65 * 2**20)))
    with pytest.raises(InputError, match="more than"):
        read_pattern(path)
