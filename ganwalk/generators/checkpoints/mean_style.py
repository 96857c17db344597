"""The centre of truncation of checkpoints that store none: the mean of many styles."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.architectures import architecture_of
from ganwalk.generators.base import mean_style

_SAMPLES = 10_000
# Of the weights of a mapping with all samples: ten times as many as honest ones of 8×512² need.
_MAX_PRODUCTS = 2 * 10**11


def estimated_mean_style(config: Any, tensors: dict[str, Tensor]) -> Tensor:
    """Mean style (w_dim,) of a generator that is given by its configuration and tensors without `mapping.w_avg`.

    Raises:
        GanwalkError: the tensors of the mapping are missing or do not fit one another.
    """
    with torch.device("meta"):
        generator: Any = architecture_of(config).module(config)
    mapping = {name.removeprefix("mapping."): t for name, t in tensors.items() if name.startswith("mapping.")}
    mapping["w_avg"] = torch.zeros(generator.w_dim)
    try:
        generator.mapping.load_state_dict(mapping, assign=True)
    except RuntimeError as error:
        raise GanwalkError("is damaged: the tensors of its mapping do not fit one another") from error
    weights = sum(tensor.numel() for tensor in mapping.values())
    return mean_style(generator, max(1, min(_SAMPLES, _MAX_PRODUCTS // weights)))
