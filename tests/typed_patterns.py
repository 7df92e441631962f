"""One small pattern, typed in the format of every instrument that is read."""

import io
import struct
import zipfile

import numpy as np

START, STEP, COUNT = 10.0, 0.25, 128
X = START + STEP * np.arange(COUNT)
Y = np.round(40 + 900 * np.exp(-0.5 * ((X - 20) / 0.6) ** 2))
LIST = " ".join(f"{y:.0f}" for y in Y)
COLUMNS = "\n".join(f"{x:.4f} {y:.0f}" for x, y in zip(X, Y, strict=True))
DOUBLET = (1.5406, 1.54439)


def xrdml(
    kind="Scan",
    axis="Gonio",
    positions=None,
    data=f"<counts>{LIST}</counts>",
    head="",
    scans=1,
):
    positions = positions or (
        f'<positions axis="2Theta"><startPosition>{X[0]}</startPosition>'
        f"<endPosition>{X[-1]}</endPosition></positions>"
    )
    points = f"<dataPoints>{positions}{data}</dataPoints>"
    scan = f'<scan scanAxis="{axis}">{points}</scan>'
    return f"""<?xml version="1.0" encoding="UTF-8"?>{head}
<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/2.0" xmlns:xsi="x">
 <xrdMeasurement measurementType="{kind}" xsi:nil="a">
  <usedWavelength intended="K-Alpha 1"><kAlpha1>1.5406</kAlpha1>
   <kAlpha2>1.54439</kAlpha2><ratioKAlpha2KAlpha1>0.5</ratioKAlpha2KAlpha1>
  </usedWavelength>
  <xRayTube><anodeMaterial>Cu</anodeMaterial></xRayTube>
  {scan * scans}
 </xrdMeasurement></xrdMeasurements>"""


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return stream.getvalue()


def raw_data(axis="TwoTheta", scan="Coupled TwoTheta/Theta", length=1, shift=0.0):
    points = "".join(
        f"<Datum>1,1,{x / 2},{x + shift},{y}</Datum>" for x, y in zip(X, Y, strict=True)
    )
    return f"""<?xml version="1.0"?><RawData xmlns:xsi="x"><DataRoutes><DataRoute>
<ScanInformation VisibleName="{scan}"><ScanAxes><ScanAxisInfo AxisName="Theta"/>
<ScanAxisInfo AxisName="{axis}"/></ScanAxes></ScanInformation>{points}
<RawDataView Start="1" Length="1" LogicName="AbsorptionFactor"/>
<RawDataView Start="2" Length="2"><Varying><FieldDefinitions FieldName="Theta"/>
<FieldDefinitions FieldName="{axis}"/></Varying></RawDataView>
<RawDataView xsi:type="RecordedRawDataView" Start="4" Length="{length}"/>
</DataRoute></DataRoutes><WaveLengthAlpha1 Value="1.5406"/>
<WaveLengthAlpha2 Value="1.54439"/><WaveLengthRatio Value="0.5"/>
<TubeMaterial>Cu</TubeMaterial></RawData>"""


def brml(*scans):
    members = {f"Experiment0/RawData{i}.xml": scan for i, scan in enumerate(scans)}
    return zipped({"Experiment0/DataContainer.xml": "<a/>", **members})


def rasx(kind="Ka"):
    profile = "\ufeff" + "\n".join(
        f"{x:.4f}\t{y / 2}\t2" for x, y in zip(X, Y, strict=True)
    )
    conditions = f"""<MeasurementConditions><XrayGenerator><TargetName>Cu</TargetName>
<WaveType>{kind}</WaveType><WavelengthKalpha1>1.5406</WavelengthKalpha1>
<WavelengthKalpha2>1.54439</WavelengthKalpha2></XrayGenerator>
<ScanInformation><AxisName>TwoThetaTheta</AxisName></ScanInformation>
</MeasurementConditions>"""
    names = "Data0/Profile0.txt", "Data0/MesurementConditions0.xml"
    return zipped(dict(zip(names, (profile, conditions), strict=True)))


def ras(axis="2-Theta/Omega"):
    rows = "\n".join(f"{x:.4f} {y / 10:.4f} 10.0" for x, y in zip(X, Y, strict=True))
    scan = f"""*RAS_HEADER_START
*HW_XG_TARGET_NAME "Cu"
*HW_XG_WAVE_LENGTH_ALPHA1 "1.5406"
*HW_XG_WAVE_LENGTH_ALPHA2 "1.54439"
*MEAS_COND_XG_WAVE_TYPE "Ka"
*MEAS_SCAN_AXIS_X "{axis}"
*RAS_HEADER_END
*RAS_INT_START
{rows}
*RAS_INT_END
"""
    return f"*RAS_DATA_START\n{scan}*RAS_DATA_END\n"


def asc():
    rows = "\n".join(
        ", ".join(f"{y:.0f}" for y in Y[i : i + 4]) for i in range(0, COUNT, 4)
    )
    return f"""*TYPE = Raw
*TARGET = 29
*WAVE_LENGTH1 = 1.5406
*WAVE_LENGTH2 = 1.54439
*BEGIN
*SCAN_AXIS = 2theta/theta
*START = {START}
*STEP = {STEP}
*COUNT = {COUNT}
{rows}
*END
*EOF
"""


def uxd(data):
    return f"""; a comment
_FILEVERSION=2
_WL_UNIT='A'
_WL1=1.5406
_WL2=1.54439
_WLRATIO=0.5
_ANODE='Cu'
_DRIVE='COUPLED'
_STEPSIZE={STEP}
_START={START}
{data}
"""


def raw1(more=0):
    header = struct.pack("<IffIIffff", COUNT, 1.0, STEP, 0, 0, START, 0, 0, 0)
    header += b"sample".ljust(32) + struct.pack("<ff", *DOUBLET)
    header = header.ljust(144, b"\0") + b"    "
    return b"RAW " + header + struct.pack("<I", more) + Y.astype("<f4").tobytes()


def raw3(kind=0, varying=0, ranges=1):
    header = bytearray(712)
    header[:8] = b"RAW1.01\0"
    struct.pack_into("<I", header, 12, ranges)
    header[608:610] = b"Cu"
    struct.pack_into("<4d", header, 624, *DOUBLET, 1.39222, 0.5)
    part = bytearray(304 + 20)
    struct.pack_into("<II", part, 0, 304, COUNT)
    struct.pack_into("<dd", part, 8, START / 2, START)
    struct.pack_into("<d", part, 176, STEP)
    struct.pack_into("<I", part, 196, kind)
    struct.pack_into("<II", part, 252, 4 + 8 * varying, 20)
    counts = b"".join(struct.pack("<f", y) + bytes(8 * varying) for y in Y)
    return bytes(header) + (bytes(part) + counts) * ranges


def raw4(axis=b"Locked Coupled"):
    header = b"RAW4.00\0".ljust(61, b"\0")
    comment = struct.pack("<II", 10, 40).ljust(40, b"\0")
    tube = bytearray(136)
    struct.pack_into("<II", tube, 0, 30, 136)
    struct.pack_into("<4d", tube, 80, *DOUBLET, 1.39222, 0.5)
    tube[116:118] = b"Cu"
    part = bytearray(160 + 24)
    part[32 : 32 + len(axis)] = axis
    struct.pack_into("<dd", part, 72, START, STEP)
    struct.pack_into("<I", part, 88, COUNT)
    struct.pack_into("<II", part, 136, 8, 24)
    counts = b"".join(struct.pack("<ff", y, 0) for y in Y)
    return header + comment + bytes(tube) + bytes(part) + counts


def rd(version=b"V3RD", start=250):
    header = bytearray(start)
    header[:4] = version
    struct.pack_into("<3d", header, 214, STEP, X[0], X[-1])
    packed = np.round(np.sqrt(100 * Y)).astype("<u2")
    return bytes(header) + packed.tobytes()


def udf():
    rows = "\n".join(
        ",".join(f"{y:8.0f}" for y in Y[i : i + 8]) for i in range(0, COUNT, 8)
    )
    return f"""SampleIdent,quartz ,/
Anode,Cu,/
LabdaAlpha1, 1.54060,/
LabdaAlpha2, 1.54439,/
RatioAlpha21, 0.50000,/
DataAngleRange, {X[0]:.4f}, {X[-1]:.4f},/
ScanStepSize, {STEP:.3f},/
RawScan
{rows}/
"""


def gsas(kind, fields, per_line, binning="CONST", head="quartz"):
    lines = "\n".join(
        "".join(fields[i : i + per_line]) for i in range(0, len(fields), per_line)
    )
    bank = f"BANK 1 {COUNT} {COUNT} {binning} {100 * START} {100 * STEP} 0 0 {kind}"
    return f"{head}\n{bank}\n{lines}\n"


STD = [f"{y:8.0f}" for y in Y]
ESD = [f"{v:8.1f}" for y in Y for v in (y, np.sqrt(y))]
FXYE = [f"{100 * x} {y} {np.sqrt(y)}\n" for x, y in zip(X, Y, strict=True)]
CIF_BEAM = """data_beam
loop_ _diffrn_radiation_wavelength _diffrn_radiation_wavelength_wt
1.5406 1.0 1.54439 0.5
_diffrn_radiation_type 'Cu K\\a'
_diffrn_radiation_probe x-ray
"""
CIF_RANGE = """data_pattern
_pd_meas_2theta_range_min 10.0
_pd_meas_2theta_range_max 41.75
_pd_meas_2theta_range_inc 0.25
;note
a text field with _pd_meas_counts_total in it
;
"""


def cif(probe="x-ray"):
    rows = "\n".join(
        f"{i} {x} {y:.0f}({np.sqrt(y):.0f}) ."
        for i, (x, y) in enumerate(zip(X, Y, strict=True))
    )
    return (
        CIF_BEAM.replace("x-ray", probe)
        + f"""data_pattern
_pd_note
;
loop_ in a text field
;
loop_
_pd_data_point_id
_pd_meas_2theta_scan
_pd_meas_intensity_total
_pd_calc_intensity_total
{rows}
"""
    )


def chi(label="2-Theta Angle (Degrees)", x=X):
    rows = "\n".join(f" {a:.7E} {b:.7E}" for a, b in zip(x, Y, strict=True))
    return f"image.tif\n{label}\nIntensity\n       {COUNT}\n{rows}\n"


FORMATS = {
    "xrdml": xrdml(),
    "xrdml list": xrdml(
        positions=f'<positions axis="2Theta"><listPositions>{" ".join(map(str, X))}'
        "</listPositions></positions>"
    ),
    "xrdml intensities": xrdml(
        data=f"<beamAttenuationFactors>{'2 ' * COUNT}</beamAttenuationFactors>"
        f"<intensities>{LIST}</intensities>"
    ),
    "xrdml attenuated": xrdml(
        data=f"<beamAttenuationFactors>{'2 ' * COUNT}</beamAttenuationFactors>"
        f"<counts>{' '.join(f'{y / 2}' for y in Y)}</counts>"
    ),
    "xrdml times": xrdml(
        data=f"<countingTimes>{'1 3 ' * (COUNT // 2)}</countingTimes><counts>"
        f"{' '.join(f'{y * (0.5, 1.5)[i % 2]}' for i, y in enumerate(Y))}</counts>"
    ),
    "brml": brml(raw_data()),
    "rasx": rasx(),
    "ras": ras(),
    "asc": asc(),
    "uxd counts": uxd("_COUNTS\n" + LIST.replace(" 40 40 40 ", " 40 40\n40 ")),
    "uxd pairs": uxd("_2THETACOUNTS\n" + COLUMNS),
    "raw 1": raw1(),
    "raw 3": raw3(),
    "raw 3 varying": raw3(varying=1),
    "raw 4": raw4(),
    "rd": rd(),
    "sd": rd(b"V5RD", 810),
    "udf": udf(),
    "gsas std": gsas("STD", STD, 10),
    "gsas esd": gsas("ESD", ESD, 10),
    "gsas fxye": gsas("FXYE", FXYE, 1),
    "cif": cif(),
    "cif range": CIF_BEAM
    + CIF_RANGE.replace(";note", "_pd_note\n;note")
    + "loop_ _pd_meas_counts_total\n"
    + LIST,
    "chi": chi(),
    "counts": f"quartz\n {START} {STEP} {X[-1]} sample\n"
    + LIST.replace(" 40 40 40 ", " 40 40\n40 "),
    "mdi": f"QUARTZ\n {START} {STEP} 1.0 CU 1.5406 {X[-1]} {COUNT}\n{LIST}",
}
STATING_LINES = set(FORMATS) - {
    *("rd", "sd", "gsas std", "gsas esd", "gsas fxye", "chi", "counts", "mdi")
}
