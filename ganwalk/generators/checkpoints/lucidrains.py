"""Checkpoints of lucidrains/stylegan2-pytorch (`model_N.pt`): the state of the whole training in one dict.

The averaged generator is `GE`, its style network `SE`; the training copies G and S and the discriminator D are left in
the file. Nothing describes the architecture: it is read off the tensors' shapes.
"""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.mean_style import estimated_mean_style
from ganwalk.generators.checkpoints.stored import load_tensors, shape_of
from ganwalk.generators.lucidrains import LucidrainsConfig
from ganwalk.inert.tensors import StoredTensor

# Their names inside of an attention layer, and ours.
_ATTENTION = (
    ("0.fn.norm.", "attention_norm."),
    ("0.fn.fn.to_kv.net.", "to_kv."),
    ("0.fn.fn.", ""),
    ("1.fn.norm.", "feedforward_norm."),
    ("1.fn.fn.", "feedforward."),
)


def is_lucidrains(value: Any) -> bool:
    """Whether an inert object is such a checkpoint: the averaged networks under their prefixes."""
    names = training_state(value)
    return all(any(name.startswith(prefix) for name in names) for prefix in ("GE.blocks.", "SE.net."))


def read_lucidrains(value: Any) -> tuple[LucidrainsConfig, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under our names.

    The centre of truncation, which files lack, is the mean of many styles.

    Raises:
        GanwalkError: tensors are missing, or computed otherwise than by versions 0.20 to 1.9 of the package.
    """
    state = {name: entry for name, entry in training_state(value).items() if name.startswith(("GE.", "SE."))}
    stored = {name: entry for name, entry in state.items() if isinstance(entry, StoredTensor)}
    if len(stored) < len(state):
        raise GanwalkError("is damaged: its networks hold something that is no tensor")
    blurs = {name: tensor for name, tensor in stored.items() if name.endswith(".to_rgb.upsample.1.f")}
    for name, tensor in load_tensors(blurs).items():
        if tensor.tolist() != [1.0, 2.0, 1.0]:
            raise GanwalkError(f"is not supported: the filter {name} is not 1 2 1")
    config = _config(stored, bool(blurs))
    tensors = load_tensors({_ours(name): tensor for name, tensor in stored.items() if name not in blurs})
    tensors["mapping.w_avg"] = estimated_mean_style(config, tensors)
    return config, tensors


def training_state(value: Any) -> dict[str, Any]:
    """The dict of tensors by their names, wherever the version kept it; empty if there is none."""
    state = value.get("GAN", value) if isinstance(value, dict) else {}
    if not isinstance(state, dict):
        return {}
    return {name.removeprefix("module."): entry for name, entry in state.items() if isinstance(name, str)}


def _config(stored: dict[str, StoredTensor], blur: bool) -> LucidrainsConfig:
    def count(pattern: str) -> int:
        return len({match[1] for name in stored if (match := re.match(pattern, name))})

    if "GE.initial_conv.weight" not in stored:
        raise GanwalkError("is of a version of stylegan2-pytorch before 0.20: continue its training with a newer one")
    blocks, depth = count(r"GE\.blocks\.(\d+)\."), count(r"SE\.net\.(\d+)\.weight$")
    attended = {int(match[1]) for name in stored if (match := re.match(r"GE\.attns\.(\d{1,4})\.", name))}
    for block in attended:
        if f"GE.attns.{block}.0.fn.norm.g" not in stored:
            raise GanwalkError("is not supported: its attention is of a version of stylegan2-pytorch before 1.8.5")
    return LucidrainsConfig(
        channels=tuple(shape_of(stored, f"GE.blocks.{block}.conv2.weight", 4)[0] for block in range(blocks)),
        latent_dim=shape_of(stored, "SE.net.0.weight", 2)[1],
        style_depth=depth,
        transparent=shape_of(stored, "GE.blocks.0.to_rgb.conv.weight", 4)[0] == 4,
        attn_layers=tuple(sorted(blocks - block for block in attended)),
        no_const="GE.to_initial_block.weight" in stored,
        blur=blur or blocks == 1,
    )


def _ours(name: str) -> str:
    """Our name of a tensor of theirs."""
    if match := re.fullmatch(r"SE\.net\.(\d{1,4})\.(.*)", name):
        # Activations take the odd places.
        return f"mapping.layers.{int(match[1]) // 2}.{match[2]}"
    if match := re.fullmatch(r"GE\.attns\.(\d+)\.(.*)", name):
        for theirs, ours in _ATTENTION:
            if match[2].startswith(theirs):
                return f"synthesis.blocks.{match[1]}.attention.{ours}{match[2].removeprefix(theirs)}"
    return "synthesis." + name.removeprefix("GE.")
