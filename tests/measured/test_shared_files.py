"""Files of real instruments, where the development data are there."""

import csv
import re

import numpy as np
import pytest
from laws import for_each

from xrdjax.errors import InputError
from xrdjax.measured.reader import read_pattern

# Refused on purpose, and the word of the sentence that says why.
REFUSED = {
    "xylib__test1.csv": "8 points",
    "xylib__test2.csv": "no table",
    "xylib__test4.csv": "14 points",
    "xylib__with_commas.txt": "no table",
    "xylib__with_sigma.txt": "3 points",
    "xylib__small.tsv": "5 points",
    "xylib__pesa.txt": "41 points",
    "datalab__example_evadiffract.xy": "28 points",
    "genx__XRDML_attenuation.xrdml": "reflectivity",
    "genx__BRML_alt.brml": "reflectivity",
    "gsas-ii-tutori__PG3_17541.gsa": "time of flight",
    "xrdtools__test_area.xrdml": "map of an area",
}
# The manifest holds the mean of the doublet, not K-alpha1.
MEAN_WAVELENGTH = {"geddes__bruker4_v5converter.raw"}
AXIS = re.compile(r"(\d+) pts ([\d.]+)\.\.([\d.]+) step ([\d.]+) max (\S+)")


def test_files_of_instruments_are_read_as_their_manifest_says(shared_data):
    folder = shared_data / "instrument_files"
    if not (folder / "manifest.tsv").is_file():
        pytest.skip("the development data hold no files of instruments")
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))

    @for_each("row", rows, name=lambda row: row["file"])
    def check(row):
        path = folder / row["file"]
        if row["file"] in REFUSED:
            with pytest.raises(InputError, match=REFUSED[row["file"]]):
                read_pattern(path)
            return
        pattern = read_pattern(path)
        if stated := AXIS.match(row["expected_axis"]):
            x = pattern.two_theta_deg
            found = [
                len(x),
                x[0],
                x[-1],
                np.median(np.diff(x)),
                pattern.intensity.max(),
            ]
            np.testing.assert_allclose(found, [float(v) for v in stated.groups()], 3e-4)
        if row["wavelength"] and row["file"] not in MEAN_WAVELENGTH:
            assert pattern.wavelengths[0] == pytest.approx(float(row["wavelength"]))
        if row["anode"]:
            assert pattern.anode == row["anode"].capitalize()

    check()
