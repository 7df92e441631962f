"""The numbers of the benchmark as lines of text."""

from typing import Any

from experiments.throughput.figure import STAGES

_TRAINING_LEGEND = (
    "generator: its share of the step's time; floor: that of the network's "
    "operations,\nat the speed of a plain matrix product, in the time of the rest"
)


def _heading(numbers: dict[str, Any]) -> list[str]:
    on = numbers["circumstances"]
    load = "unknown" if on["load_before"] is None else f"{on['load_before']:.1f}"
    machine = f"{on['device']} ({on['platform']}), {on['cores']} cores"
    settings = f"float32, batch {numbers['batch']}, {numbers['points']} points"
    return [
        f"{machine}, {on['devices']} device(s), load before {load}",
        f"{settings}, median of {numbers['repeats']}",
        f"jax {on['jax']}, commit {on['commit']}\n",
    ]


def _generator_lines(numbers: dict[str, Any]) -> list[str]:
    stages = numbers["stages"]
    whole = stages["synthetic_patterns"]["median_s"]
    lines = [f"{'stage':28}{'ms / crystal':>14}{'share':>9}{'compile / s':>13}"]
    for name in (*STAGES, "simulate_sites", "synthetic_patterns"):
        row = stages[name]
        compiled = f"{row['compile_s']:.1f}" if "compile_s" in row else "difference"
        share = row["median_s"] / whole
        lines.append(f"{name:28}{row['ms_each']:14.3f}{share:9.1%}{compiled:>13}")
    speed = stages["synthetic_patterns"]["per_second"]
    lines.append(f"patterns: {speed:,.0f} / s, {speed * 3600:,.0f} / h")
    if numbers.get("peak_device_mib") is not None:
        lines.append(f"peak memory of the device: {numbers['peak_device_mib']:.0f} MiB")
    return lines


def _device_lines(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"\n{'cores':>6}{'devices':>9}{'patterns / s':>14}{'peak memory / MiB':>19}"
    ]
    for row in rows:
        peak = row["resident_peak_mib"]
        memory = "unknown" if peak is None else f"{peak:.0f}"
        lines.append(
            f"{row['cores']:6}{row['devices']:9}{row['per_second']:14,.0f}{memory:>19}"
        )
    return lines


def _measurement_lines(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Each measurement's speed, and its ratio to the first one's."""
    if not rows:
        return []
    first = next(iter(rows.values()))["per_second"]
    lines = [f"\n{'measurement, one core':28}{'patterns / s':>14}{'ratio':>8}"]
    for name, row in rows.items():
        speed = row["per_second"]
        lines.append(f"{name:28}{speed:14,.0f}{speed / first:8.2f}")
    return lines


def _training_lines(training: dict[str, dict[str, Any]]) -> list[str]:
    columns = f"{'training':10}{'batch':>7}{'points':>8}{'dtype':>10}{'ms / step':>11}"
    lines = [
        f"\n{columns}{'patterns / s':>14}{'generator':>11}{'floor':>8}{'compile / s':>13}"
    ]
    for name, row in training.items():
        lines.append(
            f"{name:10}{row['batch']:7}{row['points']:8}{row['dtype']:>10}"
            f"{1000 * row['step_s']:11.0f}{row['per_second']:14,.0f}"
            f"{row['generator_share']:11.1%}{row['floor_share']:8.1%}"
            f"{row['compile_s']:13.1f}"
        )
    return [*lines, _TRAINING_LEGEND]


def _scaling_lines(curves: list[dict[str, Any]]) -> list[str]:
    lines = ["\ntime for a crystal grows as a power of its size"]
    for curve in curves:
        ends = f"{curve['ms_each'][0]:.3f} to {curve['ms_each'][-1]:.3f} ms"
        span = f"{curve['against']} {curve['x'][0]} to {curve['x'][-1]}"
        lines.append(
            f"{curve['symbol']:9}{span:22}{ends:>24}: power {curve['slope']:.2f}, "
            f"of the last three {curve['last_slope']:.2f}"
        )
    return lines


def _comparison_line(row: dict[str, Any]) -> str:
    ratio = "no crystal" if row["ratio"] is None else f"{row['ratio']:,.0f} times"
    return (
        f"\n{row['work']} / s of one core or device: {row['xrdjax_per_core']:,.1f}; "
        f"{row['program']}, {row['other_work']}: {row['other_per_core']:,.2f} "
        f"({ratio})"
    )


def table(numbers: dict[str, Any]) -> str:
    """The numbers of `benchmark` as lines of text."""
    lines = [
        *_heading(numbers),
        *_generator_lines(numbers),
        *_device_lines(numbers.get("devices", [])),
        *_measurement_lines(numbers.get("measurements", {})),
        *_training_lines(numbers["training"]),
        *_scaling_lines(numbers["scaling"]),
        *map(_comparison_line, numbers.get("comparison", [])),
    ]
    return "\n".join(lines)
