"""Networks of the user's own code that declare styles: a mapping z → w, and a synthesis w → image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganwalk.compute.seeds import rng_of
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import (
    GeneratorIdentity,
    Noise,
    broadcast_styles,
    check_codes,
    check_layer,
    mean_style,
    one_hot,
    truncate,
)
from ganwalk.generators.calls import (
    PROBE_BATCH,
    Interface,
    Label,
    as_taken,
    call,
    candidate_dims,
    check_images,
    check_output,
    class_count,
    labels,
    range_of,
    settle,
    short_reason,
    signature,
)

# Where objects keep the number of styles of an image.
_LAYER_ATTRIBUTES = ("num_layers", "num_ws")
_MAX_LAYERS = 1000


def declares_styles(network: Any) -> bool:
    """Whether an object has a mapping and a synthesis that can be called; a class has them for its instances only."""
    members = (getattr(network, name, None) for name in ("mapping", "synthesis"))
    return not isinstance(network, type) and all(callable(member) for member in members)


def probe_declared(network: Any, interface: Interface, device: torch.device | str, name: str) -> Declared:
    """An adapter around an object with a mapping and a synthesis, after trying what they take and return.

    `mapping(z)` or `mapping(z, c)` makes styles (n, w_dim) or (n, num_layers, w_dim) of codes (n, z_dim) and one-hot
    labels (n, c_dim), or numbers of classes (n,). `synthesis(w)` makes images of styles: (n, num_layers, w_dim) where
    the mapping does or the object has a `num_layers` (or `num_ws`), else (n, w_dim). `synthesis(w, until=k)`, if it has
    that argument, makes the features (n, channels, h, w) after layer k. Further attributes are taken if there: the
    latent size, as `z_dim`; the number of classes, as `c_dim`; `layer_resolutions`, the larger sides of the features;
    `w_avg`, w_dim values, of the object or its mapping. What is missing is probed; w_avg is a mean.

    Raises:
        GanwalkError: a call does not go through, or returns something else.
    """
    for part in _parts(network):
        settle(part, device)
    generator = Declared(network, _probe_mapping(network, interface, device, name), device)
    z = _codes(generator.z_dim, device)
    c = None if generator.c_dim == 0 else one_hot(torch.zeros(PROBE_BATCH), generator.c_dim).to(device)
    w = generator.mapping(z, c)
    try:
        images = generator.run_synthesis(w, None, 0)
    except Exception as error:
        raise GanwalkError(
            f"{name}: synthesis of w {_shape(generator.taken(w))} failed: {short_reason(error)}: give the object the "
            "attribute num_layers if it takes a style for each layer"
        ) from error
    check_output(images, f"the synthesis of {name}")
    if len(images) != PROBE_BATCH:
        raise GanwalkError(f"the synthesis of {name} made a batch of {len(images)} of {PROBE_BATCH} styles")
    check_images(images, f"the synthesis of {name}")
    generator.image_range = interface.image_range or range_of(images, name)
    generator.image_size = (images.shape[2], images.shape[3])
    generator.resolution = max(generator.image_size)
    generator.img_channels = images.shape[1]
    generator.layer_resolutions = _layer_resolutions(generator, w[:1].detach(), name)
    generator.w_avg = _centre(generator, name)
    return generator


@dataclass(frozen=True)
class Styles:
    """What a mapping takes and makes.

    Attributes:
        z_dim: dimension of the latent code.
        w_dim: dimension of one style.
        num_layers: styles of an image.
        wide: whether the synthesis takes a style for each layer, (n, num_layers, w_dim), or one for all, (n, w_dim).
        c_dim: number of classes; 0 for none.
        label: how the mapping takes them; None if it takes none.
    """

    z_dim: int
    w_dim: int
    num_layers: int
    wide: bool
    c_dim: int
    label: Label | None


class Declared(nn.Module):
    """Implements `ganwalk.generators.base.Generator` around an object with a mapping and a synthesis.

    The network's own random numbers are fixed for every call, unless the noise is "random" and no seed is given.
    """

    style_based = True
    w_avg: Tensor
    identity: GeneratorIdentity
    image_range: tuple[float, float]
    image_size: tuple[int, int]
    resolution: int
    img_channels: int
    layer_resolutions: tuple[int, ...]

    def __init__(self, network: Any, styles: Styles, device: torch.device | str):
        super().__init__()
        self.network = network
        # Of an object that is no module, so that its weights are hashed and moved.
        self.parts = nn.ModuleList([] if isinstance(network, nn.Module) else _parts(network))
        self.styles = styles
        self.z_dim, self.w_dim, self.c_dim, self.num_layers = (
            styles.z_dim,
            styles.w_dim,
            styles.c_dim,
            styles.num_layers,
        )
        self.stops = "until" in signature(network.synthesis).parameters
        self.register_buffer("w_avg", torch.zeros(styles.w_dim, device=device), persistent=False)

    @property
    def facts(self) -> dict[str, Any]:
        """What it declares, for people."""
        return {
            "w_dim": self.w_dim,
            "classes": self.c_dim,
            "layers": self.num_layers,
            "features": "of every layer" if self.stops else "none",
        }

    @property
    def interface(self) -> Interface:
        """What has to be said to get the same adapter again."""
        return Interface(self.z_dim, self.image_range)

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Styles (n, num_layers, w_dim) of latent codes (n, z_dim) and one-hot labels (n, c_dim)."""
        check_codes(z, self.z_dim, c, self.c_dim)
        w = broadcast_styles(_map(self.network, z, c, self.styles.label), self.num_layers, self.w_dim)
        return truncate(w, self.w_avg, truncation_psi, truncation_cutoff)

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images, rescaled from the network's range to [-1, 1], or the features after layer `until`.

        Raises:
            GanwalkError: features are wanted of a network that cannot stop at a layer.
        """
        layer = check_layer(until, self.num_layers)
        early = layer if layer < self.num_layers - 1 else None
        if early is not None and not self.stops:
            raise GanwalkError(
                "features of a layer need an argument until of this generator's synthesis: add it, or drop --layer"
            )
        made = self.run_synthesis(
            broadcast_styles(w, self.num_layers, self.w_dim), early, seed if noise == "random" else 0
        )
        if early is not None:
            return made
        low, high = self.image_range
        return (made - low) * (2 / (high - low)) - 1

    def run_synthesis(self, w: Tensor, until: int | None, seed: int | None) -> Any:
        """What the network's own synthesis makes of styles (n, num_layers, w_dim)."""
        named = {} if until is None else {"until": until}
        return call(self.network.synthesis, [self.taken(w)], seed, **named)

    def taken(self, w: Tensor) -> Tensor:
        """Styles (n, num_layers, w_dim) in the form and the precision that the synthesis takes."""
        return as_taken(w if self.styles.wide else w[:, 0], _weights_of(self.network, self.network.synthesis))


def _parts(network: Any) -> list[nn.Module]:
    """The modules that an object consists of."""
    if isinstance(network, nn.Module):
        return [network]
    return [part for part in getattr(network, "__dict__", {}).values() if isinstance(part, nn.Module)]


def _weights_of(network: Any, member: Any) -> Any:
    """What holds the weights of a member: itself, if it is a module, or the whole network."""
    return member if isinstance(member, nn.Module) else network


def _map(network: Any, z: Tensor, c: Tensor | None, label: Label | None) -> Any:
    """What the network's own mapping makes of codes (n, z_dim) and one-hot labels; without them, of class 0 or none."""
    codes = as_taken(z, _weights_of(network, network.mapping))
    arguments = [codes]
    if label is not None and c is not None:
        arguments.append(c.to(codes.dtype) if label.shape else c.argmax(dim=1))
    elif label is not None:
        arguments.append(torch.zeros(len(z), *label.shape, dtype=label.dtype or codes.dtype, device=z.device))
    return call(network.mapping, arguments, 0)


def _codes(dim: int, device: torch.device | str) -> Tensor:
    z = torch.randn(PROBE_BATCH, dim, generator=rng_of(0))
    return z.to(device).requires_grad_()


def _probe_mapping(network: Any, interface: Interface, device: torch.device | str, name: str) -> Styles:
    """What the mapping takes: the first of the likely sizes and labels with which it can be called."""
    likely = candidate_dims(network, _weights_of(network, network.mapping))
    dims = [interface.latent_dim] if interface.latent_dim else likely
    classes = class_count(network)
    forms = labels(network.mapping, classes, f"the mapping of {name}")
    # With classes, a label that could be left out is given.
    forms.sort(key=lambda form: classes > 0 and form is None)
    problem = ""
    for dim in dims:
        for form in forms:
            try:
                w = _map(network, _codes(dim, device), None, form)
            except Exception as error:
                # Networks report a size that does not fit by whatever their first layer raises.
                label = "" if form is None else f" and c {(PROBE_BATCH, *form.shape)}"
                problem = problem or f"mapping of z {(PROBE_BATCH, dim)}{label} failed: {short_reason(error)}"
                continue
            num_layers, wide = _layers_of(w, network, name)
            c_dim = classes if form is not None and form.shape != (0,) else 0
            return Styles(dim, w.shape[-1], num_layers, wide, c_dim, form)
    remedy = "is --latent-dim right?" if interface.latent_dim else "give --latent-dim, or the object an attribute z_dim"
    raise GanwalkError(f"{name} makes no styles ({problem}): {remedy}")


def _layers_of(w: Any, network: Any, name: str) -> tuple[int, bool]:
    """The number of styles of an image, and whether the synthesis takes a style for each."""
    if not isinstance(w, Tensor) or not w.is_floating_point() or w.ndim not in (2, 3) or len(w) != PROBE_BATCH:
        made = f"shape {_shape(w)} of {w.dtype}" if isinstance(w, Tensor) else f"a {type(w).__name__}"
        raise GanwalkError(
            f"the mapping of {name} returns {made} of {PROBE_BATCH} codes: return styles, floats of shape (n, w_dim) "
            "or (n, num_layers, w_dim)"
        )
    counts = [value for key in _LAYER_ATTRIBUTES if type(value := getattr(network, key, None)) is int]
    if not counts:
        return (1, False) if w.ndim == 2 else (w.shape[1], True)
    if not 1 <= counts[0] <= _MAX_LAYERS or (w.ndim == 3 and w.shape[1] != counts[0]):
        raise GanwalkError(
            f"{name} says that it has {counts[0]} layers, and its mapping makes styles {_shape(w)}: let them agree"
        )
    return counts[0], True


def _layer_resolutions(generator: Declared, w: Tensor, name: str) -> tuple[int, ...]:
    """Larger sides of the features after each layer, as the object has them or as they come out."""
    early = generator.num_layers - 1
    if not generator.stops:
        return (generator.resolution,) * generator.num_layers
    given = getattr(generator.network, "layer_resolutions", None)
    if given is not None:
        if len(given) != generator.num_layers or any(type(side) is not int or side < 1 for side in given):
            raise GanwalkError(
                f"layer_resolutions of {name} are not {generator.num_layers} sizes, one for each layer: drop them to "
                "have them probed"
            )
        return tuple(given)
    sides = []
    for layer in range(early):
        try:
            with torch.no_grad():
                features = generator.run_synthesis(w, layer, 0)
        except Exception as error:
            raise GanwalkError(
                f"{name}: synthesis(w, until={layer}) failed: {short_reason(error)}: it has to make the features after "
                f"each of the layers 0 to {early - 1}"
            ) from error
        check_output(features, f"the synthesis of {name} until layer {layer}", "features")
        sides.append(max(features.shape[2:]))
    return (*sides, generator.resolution)


def _centre(generator: Declared, name: str) -> Tensor:
    """The centre of truncation (w_dim,): that of the object or its mapping, or the mean style."""
    network = generator.network
    for owner in (network, network.mapping):
        centre = getattr(owner, "w_avg", None)
        if isinstance(centre, Tensor):
            if centre.numel() != generator.w_dim:
                raise GanwalkError(
                    f"w_avg of {name} is {_shape(centre)}, not ({generator.w_dim},): drop it to have it estimated"
                )
            return centre.detach().flatten().to(generator.w_avg, copy=True)
    return mean_style(generator)


def _shape(values: Tensor) -> str:
    return str(tuple(values.shape))
