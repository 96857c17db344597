"""The encoder: from one picture to its coordinates along directions, in standard deviations; and its file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk import __version__
from ganwalk.directions import Directions
from ganwalk.discovery.learned.convolutions import halved, halvings
from ganwalk.errors import GanwalkError
from ganwalk.files import check_regular, write_bytes
from ganwalk.files.tensors import TensorFileError, open_tensors
from ganwalk.generators.base import GeneratorIdentity
from ganwalk.options.records import build_record

ENCODER_FILE = "encoder.safetensors"
# The one key of the metadata. safetensors writes several in random order, and equal results should be equal files.
_KEY = "ganwalk-encoder-1"
# Height and width of what the network sees, unless the generator's images are smaller.
SIZE = 64
_GROUPS = 4
_HIDDEN = 256
# Of a file: nobody's encoder has more.
_MOST = {"directions": 2**12, "size": SIZE, "width": 2**9}


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of an encoder.

    Attributes:
        directions: n, the coordinates that it reads.
        size: height and width of what it sees.
        channels: 1 for generators of grey images, otherwise 3.
        width: channels after the first convolution, a multiple of 4; the last has three times as many.
    Raises:
        GanwalkError: on construction, if there can be no such encoder.
    """

    directions: int
    size: int
    channels: int
    width: int

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise GanwalkError(f"{name} of an encoder must be from 1 to {most}, not {getattr(self, name)}")
        if self.channels not in (1, 3):
            raise GanwalkError(f"an encoder sees 1 or 3 channels, not {self.channels}")
        if self.width % _GROUPS:
            raise GanwalkError(f"the width of an encoder must be a multiple of {_GROUPS}, not {self.width}")


class EncoderNetwork(nn.Module):
    """Coordinates (m, n) of pictures (m, channels, size, size) in [-1, 1].

    Attributes:
        offset: (n,) what the layers say of the generator's mean image, which is then taken as 0.
        fit: (n,) R² of the amplitudes that it reads off pairs held back; NaN of directions that shift nothing.
    """

    offset: Tensor
    fit: Tensor

    def __init__(self, config: EncoderConfig):
        super().__init__()
        width = config.width
        widths = (config.channels, width, 2 * width, 3 * width, 3 * width)
        values = widths[-1] * halved(config.size, len(widths) - 1) ** 2
        self.layers = nn.Sequential(
            *halvings(widths, _GROUPS),
            nn.Flatten(),
            nn.Linear(values, _HIDDEN),
            nn.SiLU(),
            nn.Linear(_HIDDEN, config.directions),
        )
        self.register_buffer("offset", torch.zeros(config.directions))
        self.register_buffer("fit", torch.zeros(config.directions))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images) - self.offset


@dataclass(frozen=True, eq=False)
class Encoder:
    """A trained network, and the directions that it is of.

    Attributes:
        network: in evaluation mode.
        config: its shape.
        fingerprint: of the directions (`Directions.fingerprint`).
        generator: that the directions belong to.
        settings: JSON-able settings of the training.
        version: of ganwalk that trained it.
    """

    network: EncoderNetwork
    config: EncoderConfig
    fingerprint: str
    generator: GeneratorIdentity
    settings: dict[str, Any]
    version: str = __version__

    @property
    def fit(self) -> Tensor:
        """R² (n,) of each direction, on the CPU; see `EncoderNetwork`."""
        return self.network.fit.cpu()

    def encode(self, images: Tensor) -> Tensor:
        """Coordinates (m, n) of images (m, channels, h, w) in [-1, 1], at least as large as what the network sees."""
        with torch.no_grad():
            return self.network(prepared(images, self.config.channels, self.config.size))

    def check(self, directions: Directions) -> None:
        """Raises GanwalkError if it was trained for other directions."""
        if self.fingerprint != directions.fingerprint():
            raise GanwalkError(
                "the encoder belongs to other directions: give its own with --directions, or train one for these with "
                "ganwalk evaluate --representation"
            )

    def to(self, device: torch.device | str) -> Encoder:
        """The same encoder, its network moved to another device."""
        self.network.to(device)
        return self

    def save(self, path: Path | str) -> None:
        """Writes safetensors with everything else as metadata, atomically; GanwalkError if that cannot be done."""
        from safetensors import torch as safetensors_torch

        facts = {
            "config": asdict(self.config),
            "directions": self.fingerprint,
            "generator": asdict(self.generator),
            "settings": self.settings,
            "version": self.version,
        }
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        write_bytes(path, safetensors_torch.save(tensors, {_KEY: json.dumps(facts, allow_nan=False)}))

    @staticmethod
    def load(path: Path | str) -> Encoder:
        """Reads what `save` wrote, onto the CPU.

        Raises:
            GanwalkError: the file is missing, damaged, or something else.
        """
        path = Path(path)
        description = _description(path)
        try:
            return _assemble(path, json.loads(description))
        except Exception as error:
            # Whatever the description of a file makes of it: wrong types, sizes, tensors.
            raise GanwalkError(f"{path} is damaged: make it again with ganwalk evaluate --representation") from error


def _description(path: Path) -> str:
    """The text in an encoder's file that says what it is; GanwalkError if there is none."""
    if not path.exists():
        raise GanwalkError(f"{path} does not exist: make an encoder with ganwalk evaluate --representation")
    check_regular(path)
    try:
        with open_tensors(path) as file:
            metadata = file.metadata
    except TensorFileError:
        metadata = {}
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    if _KEY not in metadata:
        raise GanwalkError(f"{path} is no encoder, or a damaged one: make one with ganwalk evaluate --representation")
    return metadata[_KEY]


def _assemble(path: Path, facts: Any) -> Encoder:
    """An encoder from the contents of a file, whose types and sizes are whatever its writer liked."""
    config = build_record(EncoderConfig, facts["config"])
    # Only shapes at first: a few bytes of configuration can ask for gigabytes.
    with torch.device("meta"):
        network = EncoderNetwork(config)
    expected = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    with open_tensors(path) as file:
        shapes = {name: list(entry.shape) for name, entry in file.entries.items()}
        if shapes != expected or any(entry.kind != "F32" for entry in file.entries.values()):
            raise GanwalkError("its tensors are others than its configuration says")
        network.load_state_dict({name: file.read(name) for name in expected}, assign=True)
    if not all(bool(tensor.isfinite().all()) for name, tensor in network.state_dict().items() if name != "fit"):
        raise GanwalkError("its weights are not finite")
    network = network.eval().requires_grad_(False)
    identity = build_record(GeneratorIdentity, facts["generator"])
    named = {"fingerprint": facts["directions"], "settings": facts["settings"], "version": facts["version"]}
    return build_record(Encoder, {"network": network, "config": config, "generator": identity, **named})


def config_for(generator: Any, directions: int, width: int) -> EncoderConfig:
    """The shape of an encoder of a generator's images."""
    return EncoderConfig(directions, min(SIZE, generator.resolution), 1 if generator.img_channels < 3 else 3, width)


def prepared(images: Tensor, channels: int, size: int) -> Tensor:
    """What a network sees of images (m, c, h, w) in [-1, 1]: (m, channels, size, size), averaged down.

    Grey images show the same in every channel. A fourth channel is the opacity, over white paper.
    """
    if images.shape[1] < 3:
        images = images[:, :1].expand(-1, channels, -1, -1)
    elif images.shape[1] == 4:
        images = 1 - (1 - images[:, :3]) * (images[:, 3:].clamp(-1, 1) + 1) / 2
    images = images[:, :channels].clamp(-1, 1)
    return images if images.shape[2:] == (size, size) else F.adaptive_avg_pool2d(images, size)
