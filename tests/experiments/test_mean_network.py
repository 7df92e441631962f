"""The mean of networks that share their start: layer by layer, class by class."""

import dataclasses

import numpy as np
import pytest

from experiments.export_pretrained.mean import mean_network
from xrdjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Network:
    """What of a run the mean looks at."""

    space_groups: np.ndarray
    params: dict


def network(seed, groups):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    head = {"kernel": normal(3, len(groups)), "bias": normal(len(groups))}
    params = {"Dense_0": {"kernel": normal(5, 3)}, "Dense_1": head}
    return Network(np.array(groups), params)


def test_classes_are_averaged_over_the_networks_that_name_them():
    all_groups, some = network(0, [2, 14, 62, 225]), network(1, [14, 225])
    mean = mean_network(all_groups, [some])
    trunks = [one.params["Dense_0"]["kernel"] for one in (all_groups, some, mean)]
    np.testing.assert_allclose(trunks[2], (trunks[0] + trunks[1]) / 2, rtol=1e-6)
    for name in ("kernel", "bias"):
        a, b, c = (one.params["Dense_1"][name] for one in (all_groups, some, mean))
        np.testing.assert_allclose(c[..., [0, 2]], a[..., [0, 2]], rtol=1e-6)
        np.testing.assert_allclose(c[..., [1, 3]], (a[..., [1, 3]] + b) / 2, rtol=1e-6)
    same = mean_network(some, [some]).params["Dense_1"]["kernel"]
    np.testing.assert_allclose(same, some.params["Dense_1"]["kernel"], rtol=1e-6)


def test_networks_that_do_not_match_are_refused():
    first = network(0, [2, 14])
    other_layers = dataclasses.replace(first, params=first.params | {"Conv_0": {}})
    for other in (network(1, [2, 225]), other_layers):
        with pytest.raises(InputError, match="different layers or space groups"):
            mean_network(first, [other])
