"""Space groups from powder patterns: the networks of Park et al. (2017).

    python -m xrdjax.main --config=configs/park_cnn.py --workdir=runs/park

trains the large one; `configs/park_cnn.py:small` or `:medium` chooses another size, and
`:quick` takes the number of points, the batch size and the steps of
configs/resnet.py:quick. Everything but the network and its optimizer is as in
configs/resnet.py, which describes each value.
"""

import runpy
from pathlib import Path

import ml_collections

from xrdjax.errors import InputError
from xrdjax.models.park_cnn import SIZES

_RESNET = runpy.run_path(str(Path(__file__).with_name("resnet.py")))


def get_config(arg: str = "large") -> ml_collections.ConfigDict:
    """Every setting of a run.

    Args:
        arg: size of the network, or "quick".
    """
    if arg not in (*SIZES, "quick"):
        raise InputError(
            f"configs/park_cnn.py has no variant {arg!r}: choose {', '.join(SIZES)} "
            "or quick"
        )
    paper = _RESNET["get_config"]("10")
    config = (_RESNET["get_config"]("quick") if arg == "quick" else paper).unlock()
    config.spacing = paper.spacing
    config.model = paper.model.copy_and_resolve_references().unlock()
    size = "small" if arg == "quick" else arg
    with config.ignore_type():
        config.model.size = size  # small, medium or large
    config.model.kind = "park_cnn"
    config.model.width = SIZES[size][0]  # channels of each convolution
    config.model.groups = 1  # unused: this network has no normalisations
    # True drops 0.3 of the values after convolutions, 0.5 after hidden linear layers
    config.model.dropout = False
    config.optimizer.kind = "adam"
    config.optimizer.learning_rate = 1e-3  # at the start
    return config.lock()
