"""Several VAEs of one shape as one network: what a step computes for one model, it computes for all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae.models import VAE, PhasedConvTranspose2d, bounded_statistics, phased_transpose


class Stack:
    """K VAEs of one shape, whose convolutions are one of K groups; of one model it is the model itself.

    Each parameter is those of the models, one after the other along the first axis, and the models' own become views of
    it: whatever changes one changes the other.

    Attributes:
        models: the K models, on one device.
        parameters: of all of them, in the order of a model's.
    """

    def __init__(self, models: Sequence[VAE]):
        self.models = list(models)
        if len(models) == 1:
            self.parameters = list(models[0].parameters())
        else:
            sets = zip(*(model.parameters() for model in models), strict=True)
            self.parameters = [nn.Parameter(joined(parts)) for parts in sets]
        names = [name for name, _ in models[0].named_parameters()]
        self._parts = dict(zip(names, self.parameters, strict=True))

    def __len__(self) -> int:
        return len(self.models)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, (K, n, z_dim) each, of images (K, n, channels, resolution, resolution)."""
        first = self.models[0]
        if len(self) == 1:
            mean, log_variance = first.encode(images[0])
            return mean[None], log_variance[None]
        with first.autocast(images):
            side_by_side = images.transpose(0, 1).flatten(1, 2).contiguous(memory_format=torch.channels_last)
            found = self._run("encoder", first.encoder, side_by_side, self._parts, len(self))
        return bounded_statistics(found.flatten(1).unflatten(1, (len(self), -1)).transpose(0, 1))

    def decode(self, z: Tensor) -> Tensor:
        """Logits (K, n, channels, resolution, resolution) of codes (K, n, z_dim)."""
        first = self.models[0]
        if len(self) == 1:
            return first.decode(z[0])[None]
        with first.autocast(z):
            codes = z.transpose(0, 1).flatten(1)[..., None, None]
            found = self._run("decoder", first.decoder, codes, self._parts, len(self))
        return found.float().unflatten(1, (len(self), -1)).transpose(0, 1)

    def decode_one(self, place: int, z: Tensor) -> Tensor:
        """Logits (n, channels, resolution, resolution) of codes (n, z_dim) by the model at a place."""
        first = self.models[0]
        if len(self) == 1:
            return first.decode(z)
        own = {name: part.chunk(len(self))[place] for name, part in self._parts.items() if name.startswith("decoder")}
        with first.autocast(z):
            return self._run("decoder", first.decoder, z[..., None, None], own, 1).float()

    @property
    def latent_weights(self) -> Tensor:
        """First-layer weights (K, width, z_dim) of the decoders."""
        return self._parts["decoder.0.weight"][:, :, 0, 0].unflatten(0, (len(self), -1))

    @staticmethod
    def _run(prefix: str, layers: nn.Sequential, x: Tensor, parts: Mapping[str, Tensor], groups: int) -> Tensor:
        """The layers of one model, with the parameters of `groups` of them."""
        for place, layer in enumerate(layers):
            if isinstance(layer, nn.ReLU):
                x = x.relu()
                continue
            weight, bias = (parts[f"{prefix}.{place}.{name}"] for name in ("weight", "bias"))
            if isinstance(layer, PhasedConvTranspose2d):
                x = phased_transpose(x, weight, bias, groups)
            elif isinstance(layer, nn.ConvTranspose2d):
                x = F.conv_transpose2d(x, weight, bias, layer.stride, layer.padding, groups=groups)  # type: ignore[arg-type]
            else:
                assert isinstance(layer, nn.Conv2d)
                x = F.conv2d(x, weight, bias, layer.stride, layer.padding, groups=groups)  # type: ignore[arg-type]
        return x


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape along the first axis of one, of which they become views themselves."""
    whole = torch.cat([part.detach() for part in parts])
    for part, view in zip(parts, whole.chunk(len(parts)), strict=True):
        part.data = view
    return whole


def stacked_adam(stack: Stack, own: Sequence[torch.optim.Optimizer]) -> torch.optim.Optimizer:
    """One optimiser that does what the models' own would do, whose state it shares.

    Adam works on every entry by itself: of a stack it is that of each model, if their steps are equally many.
    """
    if len(stack) == 1:
        return own[0]
    (group,) = own[0].param_groups
    adam = torch.optim.Adam(stack.parameters, group["lr"], group["betas"])
    columns = zip(*(optimizer.param_groups[0]["params"] for optimizer in own), strict=True)
    for whole, parts in zip(stack.parameters, columns, strict=True):
        states = [optimizer.state[part] for optimizer, part in zip(own, parts, strict=True)]
        for part, state in zip(parts, states, strict=True):
            if not state:
                state.update(step=torch.zeros(()), exp_avg=torch.zeros_like(part), exp_avg_sq=torch.zeros_like(part))
        moments = {name: joined([state[name] for state in states]) for name in ("exp_avg", "exp_avg_sq")}
        for state in states:
            state["step"] = states[0]["step"]
        adam.state[whole] = {"step": states[0]["step"], **moments}
    return adam
