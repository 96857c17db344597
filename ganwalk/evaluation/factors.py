"""The readers that there are of factors, and how far apart two values of a factor are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganwalk.discovery.factors import Factor, FactorReader, Kind
from ganwalk.errors import GanwalkError
from ganwalk.files import check_regular, hash_file
from ganwalk.generators.base import Generator, device_of, sample_labels, sample_z
from ganwalk.generators.calls import short_reason
from ganwalk.generators.external import is_program, load_script

if TYPE_CHECKING:
    from ganwalk.evaluation.scene_predictor import ScenePredictor


def size_of_change(factor: Factor, before: Tensor, after: Tensor) -> Tensor:
    """Distance (n,) between values of a factor, which broadcast.

    Linear: |after - before|; circular: the shorter way round; categorical: total variation of the probabilities.
    """
    if factor.kind == "categorical":
        return 0.5 * (after - before).abs().sum(dim=-1)
    return signed_change(factor, before, after).abs()


def signed_change(factor: Factor, before: Tensor, after: Tensor) -> Tensor:
    """The change (n,) with its sign: of circular factors the shorter way round; classes have no order, so always 0."""
    if factor.kind == "categorical":
        return torch.zeros_like((after - before)[..., 0])
    difference = after - before
    if factor.kind == "circular":
        half = factor.period / 2
        return (difference + half) % factor.period - half
    return difference


def spread(factor: Factor, values: Tensor) -> float:
    """Standard deviation of a factor's values: the root of half the mean squared distance of two of them.

    For linear factors this is the usual one; the same definition holds where there is no mean to deviate from, on the
    circle and among classes.
    """
    n, values = len(values), values.cpu()
    total = sum(float(size_of_change(factor, values, value).double().square().sum()) for value in values)
    return (total / (2 * n * (n - 1))) ** 0.5 if n > 1 else 0.0


def factor_reader(generator: Any) -> FactorReader | None:
    """The reader that ganwalk has for a generator, or None: exact for `blobs`, the shipped predictor for `scenes`."""
    source = factor_source(generator)
    if source == LatentReader.identity:
        return LatentReader(generator)
    return SceneReader(device_of(generator)) if source == SceneReader.identity else None


def factor_source(generator: Any) -> str | None:
    """Identity of the reader that `factor_reader` gives, which also says where the generator's factors are from."""
    if hasattr(generator, "factors") and hasattr(generator, "factor_names"):
        return LatentReader.identity
    identity = generator.identity
    return SceneReader.identity if _scenes_sha256() in (identity.sha256, identity.source_sha256) else None


class LatentReader:
    """Exact factors of a generator that knows them as functions of the style, such as `blobs`."""

    needs_images = False
    identity = "latents"

    def __init__(self, generator: Any):
        self._generator = generator
        periods = generator.factor_periods
        self.factors = tuple(
            Factor(name, "circular" if name in periods else "linear", periods.get(name, 1.0))
            for name in generator.factor_names
        )

    def read(self, styles: Tensor, images: Tensor | None) -> list[Tensor]:
        return list(self._generator.factors(styles[:, 0]).unbind(dim=1))


class SceneReader:
    """Factors of `scenes` by a predictor: hues on the circle, shape as probabilities.

    Args:
        device: of the images.
        predictor: by default the shipped one.
        names: of the factors, in the predictor's order.
        identity: what tells it from other readers.
    """

    needs_images = True
    identity = "scenes"

    def __init__(
        self,
        device: torch.device | str = "cpu",
        predictor: ScenePredictor | None = None,
        names: Sequence[str] | None = None,
        identity: str = identity,
    ):
        from ganwalk.evaluation.scene_predictor import FACTOR_NAMES, load_predictor

        self.identity = identity
        self._predictor = (predictor or load_predictor()).to(device)
        kinds: tuple[Kind, ...] = ("circular", "circular", "circular", "linear", "categorical", "linear")
        self.factors = tuple(Factor(*pair) for pair in zip(names or FACTOR_NAMES, kinds, strict=True))

    def read(self, styles: Tensor, images: Tensor | None) -> list[Tensor]:
        assert images is not None
        found = self._predictor.predict(images)
        return [*found.hues.unbind(dim=1), found.scale, found.shape, found.azimuth]


class ClassifierReader:
    """Attributes by a network images → (n, a), one column each, taken as linear; its every answer is checked."""

    needs_images = True

    def __init__(self, network: nn.Module, names: Sequence[str], path: Path, sha256: str):
        self._network, self._path = network, path
        self.factors = tuple(Factor(name) for name in names)
        self.identity = f"{sha256} {','.join(names)}"

    def read(self, styles: Tensor, images: Tensor | None) -> list[Tensor]:
        assert images is not None
        found = _answer(self._network, images, self._path)
        if found.shape[1] != len(self.factors):
            raise GanwalkError(
                f"{self._path} returns {found.shape[1]} attributes where it returned {len(self.factors)}"
            )
        return list(found.float().unbind(dim=1))


def _answer(network: nn.Module, images: Tensor, path: Path) -> Tensor:
    """What a classifier says of images (n, channels, h, w): finite floats (n, a), a > 0; GanwalkError otherwise."""
    try:
        found: Any = network(images)
    except Exception as error:
        # A program raises whatever its first layer does with a size that does not fit.
        shape = "×".join(map(str, images.shape[1:]))
        raise GanwalkError(f"{path} does not take {len(images)} images of {shape}: {short_reason(error)}") from error
    n = len(images)
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != n or not found.is_floating_point():
        what = f"{found.dtype} of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise GanwalkError(f"{path} returns {what} for {n} images, not floats of shape ({n}, attributes)")
    if found.shape[1] == 0:
        raise GanwalkError(f"{path} returns no attribute")
    if not torch.isfinite(found).all():
        raise GanwalkError(f"{path} returns values that are not finite")
    return found


def check_classifier(path: Path, *, trust: bool) -> None:
    """Refuses what `load_classifier` would, as far as that can be known before there is a generator.

    Raises:
        GanwalkError: the file is no program or not trusted.
    """
    if not path.exists():
        raise GanwalkError(f"the classifier {path} does not exist: check --classifier")
    check_regular(path)
    if not is_program(path):
        raise GanwalkError(
            f"{path} is not a TorchScript program: save the classifier by torch.jit.script(network).save"
        )
    if not trust:
        raise GanwalkError(f"{path} is a TorchScript program, which runs only on your word: add --trust")


def load_classifier(
    path: Path,
    generator: Generator,
    *,
    trust: bool,
    attributes: Sequence[str] | None = None,
    class_index: int | None = None,
) -> ClassifierReader:
    """The attribute classifier in a TorchScript file, whose code runs from now on, tried on two images.

    Args:
        path: program from images (n, channels, h, w) in [-1, 1], of the generator's size, to floats (n, a).
        trust: whether to run it at all.
        attributes: names of the a columns; None numbers them.
    Raises:
        GanwalkError: the file is no program or not trusted, or does not return what it should.
    """
    check_classifier(path, trust=trust)
    network = load_script(path, device_of(generator)).eval()
    with torch.no_grad():
        z = sample_z(generator, 2, 0)
        images = generator.synthesis(generator.mapping(z, sample_labels(generator, 2, class_index, 0)))
        found = _answer(network, images.clamp(-1, 1), path)
    names = list(attributes or (f"attribute {k}" for k in range(found.shape[1])))
    if len(names) != found.shape[1]:
        raise GanwalkError(f"{path} returns {found.shape[1]} attributes, but --attributes names {len(names)}")
    return ClassifierReader(network, names, path, hash_file(path))


def parse_attributes(text: str) -> list[str]:
    """The names in "smile,age"; GanwalkError if one is empty or there twice."""
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise GanwalkError(f"--attributes {text!r} is not a list of different names such as smile,age")
    return names


def _scenes_sha256() -> str:
    from ganwalk.files.shipped import shipped_file

    return hash_file(shipped_file("scenes.safetensors"))
