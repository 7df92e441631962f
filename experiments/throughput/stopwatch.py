"""Time and memory of compiled functions, and the machine they were measured on."""

import dataclasses
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long a function took.

    Attributes:
        compile_s: tracing and compilation, seconds; 0 where nothing is compiled.
        wall_s: elapsed seconds of each repeat.
        cpu_s: processor seconds of this process, all threads, of each repeat.
    """

    compile_s: float
    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """Median of the elapsed times, seconds."""
        return statistics.median(self.wall_s)

    def as_dict(self, members: int) -> dict[str, Any]:
        """Numbers for a file.

        Args:
            members: crystals (or patterns) of one repeat.
        """
        return dataclasses.asdict(self) | {
            "members": members,
            "median_s": self.median_s,
            "median_cpu_s": statistics.median(self.cpu_s),
            "ms_each": 1000 * self.median_s / members,
            "per_second": members / self.median_s,
        }


def time_runs(
    function: Callable[..., Any],
    inputs: Sequence[tuple],
    repeats: int,
    compile_s: float = 0.0,
    donate: bool = False,
) -> Timing:
    """Times a function after a first run, which is not counted.

    Args:
        function: compiled already, or compiled in its first run.
        inputs: arguments of equal shapes; the repeats use them in turn, so that
            more than one batch of random crystals is measured.
        repeats: measured runs.
        compile_s: seconds that compilation took.
        donate: the function donates its first argument and returns its successor as the
            first result (a training step).
    """
    result = jax.block_until_ready(function(*inputs[0]))
    wall, cpu = [], []
    for i in range(repeats):
        arguments = inputs[i % len(inputs)]
        if donate:
            arguments = (result[0], *arguments[1:])
        start = time.perf_counter(), time.process_time()
        result = jax.block_until_ready(function(*arguments))
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return Timing(compile_s, tuple(wall), tuple(cpu))


def measure(
    function: Callable[..., Any],
    inputs: Sequence[tuple],
    repeats: int,
    donate: bool = False,
) -> Timing:
    """Compiles a function and times it, compilation separately; see `time_runs`."""
    jitted = function if hasattr(function, "lower") else jax.jit(function)
    began = time.perf_counter()
    compiled = jitted.lower(*inputs[0]).compile()
    compile_s = time.perf_counter() - began
    return time_runs(compiled, inputs, repeats, compile_s, donate)


def peak_resident_mib() -> float | None:
    """Peak resident memory of this process so far, MiB; None where /proc is absent.

    VmHWM is reset when a program starts, unlike ru_maxrss of getrusage, which a child
    inherits from its parent.
    """
    path = Path("/proc/self/status")
    if not path.exists():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    peaks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peaks[0]) / 1024 if peaks else None


def peak_device_mib() -> float | None:
    """Peak memory of the first device so far, MiB; None if it is not reported."""
    counted = jax.local_devices()[0].memory_stats() or {}
    peak = counted.get("peak_bytes_in_use")
    return None if peak is None else peak / 2**20


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def pin(count: int) -> None:
    """Restricts this process, and threads that it starts later, to its first cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _git(*arguments: str) -> str:
    folder = Path(__file__).parent
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def commit() -> str:
    """The measured commit, followed by "+" if tracked files were changed."""
    try:
        changed = _git("status", "--porcelain", "--untracked-files=no")
        return _git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    """Model of the processor, as Linux names it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return models[0] if models else platform.processor() or platform.machine()


def circumstances() -> dict[str, Any]:
    """Device, versions and commit, and the load of the machine."""
    device = jax.local_devices()[0]
    return {
        "device": _processor() if device.platform == "cpu" else device.device_kind,
        "platform": device.platform,
        "devices": jax.local_device_count(),
        "cores": cores(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }
