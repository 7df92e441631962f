"""Where the checkout is, and its configurations."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]

get_config = runpy.run_path(str(ROOT / "configs" / "resnet.py"))["get_config"]
"""`get_config` of configs/resnet.py."""
