"""The answer to a measured pattern as HTML: for a notebook, and as a page of its own.

A page is one file without any reference to another: its figure is drawn inside it.
"""

import html
import io
import re
from collections.abc import Sequence

from xrdjax.evaluation.classes import KINDS, TITLES
from xrdjax.evaluation.ranked import SPACE_GROUPS_IN_ALL, Ranked, shown
from xrdjax.evaluation.ranking_text import percent, whence
from xrdjax.symmetry.space_groups import space_group

_STYLE = """
body { font: 16px/1.45 Georgia, 'Times New Roman', serif; color: #111; max-width: 52rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
p.answer { font-size: 1.25rem; margin: .4rem 0 1rem; }
p.refusal { border-left: .3rem solid #111; padding-left: .8rem; }
table { border-collapse: collapse; border-top: 1.5px solid #111;
  border-bottom: 1.5px solid #111; }
th { text-align: left; font-weight: normal; border-bottom: .75px solid #111; }
th, td { padding: .18rem .9rem .18rem 0; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: inline-block; height: .7rem; background: #555; }
.over { text-decoration: overline; }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; }
ul { padding-left: 1.2rem; } small { color: #444; }
@media print { body { margin: 0; max-width: none; } }
"""
_PART = re.compile(r"-(?P<bar>\d)|(?P<screw>\d\d)|(?P<letters>[A-Za-z]+)")
_BAR_REM = 8  # length of a probability of 1


def symbol_html(number: int) -> str:
    """Short Hermann-Mauguin symbol with subscripts and bars, such as P2<sub>1</sub>/c."""
    centring, *axes = space_group(number).hermann_mauguin.split()
    if 3 <= number <= 15:  # full symbol of the unique axis b: "P 1 21/c 1"
        axes = [axes[1]]
    word = "".join([centring, *axes])
    return _PART.sub(_part_html, word)


def _part_html(found: re.Match) -> str:
    """A rotoinversion, a screw axis or letters of a symbol as HTML."""
    if found["bar"]:
        return f'<span class="over">{found["bar"]}</span>'
    if found["screw"]:
        axis, shift = found["screw"]
        return f"{axis}<sub>{shift}</sub>"
    return f"<i>{found['letters']}</i>"


def _escaped(text: str) -> str:
    return html.escape(shown(text))


def answer_html(ranking: Ranked) -> str:
    """The answer without figure and measurement, for a notebook."""
    return (
        f"<p><b>{_escaped(ranking.short_name)}</b>: {_headline(ranking)}</p>"
        f"{_groups_table(ranking)}{_classes_table(ranking)}{_notes(ranking)}"
    )


def to_page(ranking: Ranked) -> str:
    """A page of its own, with its figure."""
    title = _escaped(ranking.short_name)
    kind = ' class="answer refusal"' if ranking.refuses else ' class="answer"'
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Space group of {title}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p{kind}>{_headline(ranking)}</p>
<figure role="img" aria-label="The powder pattern as measured, and as the network sees it">
{_figure(ranking)}
</figure>
<h2>Space groups</h2>
{_groups_table(ranking)}
<h2>What the groups have in common</h2>
{_classes_table(ranking)}
<h2>Notes</h2>
{_notes(ranking)}
<h2>Measurement</h2>
{_measurement_table(ranking)}
<h2>Network</h2>
{_network(ranking)}
</body>
</html>
"""


def _headline(ranking: Ranked) -> str:
    ((number, probability),) = ranking.most_probable(1)
    first = f"{symbol_html(number)} (no. {number}), {100 * probability:.0f}&nbsp;%"
    if ranking.refusal:
        return f"<b>Cannot tell.</b> {_escaped(_sentence(ranking.refusal))}"
    return f"Most probable space group: {first}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _groups_table(ranking: Ranked) -> str:
    rows = [
        (
            symbol_html(number),
            str(number),
            space_group(number).crystal_system,
            f"{100 * probability:.1f}",
            _bar(probability),
        )
        for number, probability in ranking.most_probable()
    ]
    header = ("space group", "no.", "crystal system", "probability / %", "")
    return _table(header, rows, numbers=(1, 3))


def _bar(probability: float) -> str:
    return f'<span class="bar" style="width:{_BAR_REM * probability:.2f}rem"></span>'


def _classes_table(ranking: Ranked) -> str:
    rows = []
    for kind in KINDS:
        best = [(n, p) for n, p in ranking.classes(kind, 3) if p >= 5e-4]
        if kind == "space_group":  # said only where two cannot be told apart
            best = [(n, p) for n, p in best[:1] if " or " in n]
        if best:
            words = [f"{_escaped(name)} {100 * p:.1f}&nbsp;%" for name, p in best]
            if kind == "extinction_symbol":  # a dash is no rotoinversion
                words = [word.replace("-", "–") for word in words]
            rows.append((TITLES[kind], ", ".join(words)))
    return _table(("", "most probable"), rows)


def _notes(ranking: Ranked) -> str:
    return f"<ul>{''.join(f'<li>{_escaped(note)}</li>' for note in ranking.notes)}</ul>"


def _measurement_table(ranking: Ranked) -> str:
    """What was understood of the file, and where each value comes from."""
    measured, origin = ranking.measured, ranking.measured.origin
    angles = measured.two_theta_deg
    step = (angles[-1] - angles[0]) / max(len(angles) - 1, 1)
    stated = ", ".join(f"{value:g}" for value in measured.wavelengths or ())
    rows = [
        ("wavelength / Å", f"{ranking.wavelength:g}", whence(ranking)),
        (
            "2θ / degrees",
            f"{angles[0]:g} to {angles[-1]:g}",
            origin.get("two_theta_deg"),
        ),
        ("points", str(len(angles)), origin.get("two_theta_deg")),
        ("mean step / degrees", f"{step:.4g}", "computed"),
        ("highest intensity", f"{measured.intensity.max():g}", origin.get("intensity")),
        ("uncertainties", "as stated", origin.get("sigma")),
        ("wavelengths stated / Å", stated, origin.get("wavelengths")),
        ("Kα2 : Kα1", measured.ratio, origin.get("ratio")),
        ("anode", measured.anode, origin.get("anode")),
        ("scan axis", measured.scan_axis, origin.get("scan_axis")),
    ]
    if measured.sigma is None:
        rows = [row for row in rows if row[0] != "uncertainties"]
    cells = [
        (name, _escaped(str(value or "not stated")), _escaped(where or ""))
        for name, value, where in rows
    ]
    return _table(("", "understood", "from"), cells)


def _network(ranking: Ranked) -> str:
    groups = sorted(int(number) for number in ranking.space_groups)
    first, last = ranking.seen.range_deg
    learned = "simulated measurements"
    if not ranking.seen.removes_background:
        learned = "patterns without background and noise"
    counted = ""
    if (c := ranking.calibration) is not None:
        counted = (
            f" Of its first answers to {c.patterns} measured patterns ({_escaped(c.source)}), "
            f"{percent(c.top1)} were right; it answers {percent(c.believed)} of them, and of these "
            f"{percent(c.top1_believed)} were right."
        )
    return (
        f"<p>Trained for {ranking.step} steps on {learned} of "
        f"{ranking.seen.wavelength:g} Å, {first:g} to {last:g} degrees; "
        f"{percent(ranking.seen.share)} of this range was measured. It can name "
        f"{len(groups)} of the {SPACE_GROUPS_IN_ALL} space groups "
        f"({percent(len(groups) / SPACE_GROUPS_IN_ALL)}).{counted}</p>"
        f"<details><summary>The groups that it can name</summary><p><small>"
        f"{', '.join(f'{symbol_html(n)}&nbsp;({n})' for n in groups)}</small></p></details>"
    )


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], numbers: tuple[int, ...] = ()
) -> str:
    """A table of HTML cells; the columns of these numbers are flush right."""

    number = ' class="number"'

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{number if i in numbers else ''}>{cell}</{tag}>"
            for i, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        f"<table><thead><tr>{cells(header, 'th')}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _figure(ranking: Ranked) -> str:
    """The figure as SVG, without what only a file of its own needs."""
    import matplotlib

    from xrdjax.evaluation.ranking_plots import figure_of

    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "xrdjax"}):
        figure_of(ranking).savefig(file, format="svg", metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    return svg.strip()
