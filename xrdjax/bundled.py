"""Where the bundled networks are."""

from pathlib import Path

PRETRAINED = Path(__file__).parent / "data" / "pretrained"
# The one that has seen simulated measurements.
MEASURED = Path(__file__).parent / "data" / "measured"
