"""The settings of an evaluation, and their resolution against a generator. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganwalk.errors import GanwalkError, one_line
from ganwalk.options import FILES, check_settings, option
from ganwalk.options.latents import amplitude_field, check_images_differ, class_field, cutoff_field, psi_field

if TYPE_CHECKING:
    from ganwalk.generators.base import Generator
    from ganwalk.samples import StoredSamples

# Samples whose clouds have a shape.
LEAST = 4
_NO_TOPOLOGY = "fewer have no topology to compare"
# Settings by which batches are drawn: of discoveries, too.
OF_BATCHES = ("truncation_psi", "truncation_cutoff", "class_index")


@dataclass(frozen=True)
class Sizes:
    """How much is made of a generator if nobody says.

    Attributes:
        samples: latents of a batch.
        changes: latents of the comparison of changes.
        pairs: of the reconstructor.
        encoder_pairs: of the encoder.
    """

    samples: int
    changes: int
    pairs: int
    encoder_pairs: int = 9600


_SMALL = Sizes(100, 16, 1024)
# For images that take seconds.
_LARGE = Sizes(32, 8, 256, 1536)
# Settings that mean nothing unless representations are scored.
OF_REPRESENTATION = (
    "dataset",
    "metrics",
    "encoder_pairs",
    "encoder_steps",
    "encoder_batch",
    "encoder_lr",
    "encoder_width",
)


@dataclass(frozen=True)
class EvaluationSettings:
    """Options of `ganwalk evaluate`; None means: chosen for the generator. The clouds of RTD have at most 64 samples.

    Raises:
        GanwalkError: on construction, if a value is out of its bounds.
    """

    samples: int | None = option(
        None,
        "Samples to shift.",
        at_least=LEAST,
        why=_NO_TOPOLOGY,
        shown="100, or 32 above 128 px",
    )
    amplitude: float = amplitude_field(1.0, "Length of a shift in standard deviations along the direction.")
    truncation_psi: float = psi_field("batches")
    truncation_cutoff: int | None = cutoff_field()
    class_index: int | None = class_field()
    reconstructor: bool = option(True, "Train a network that tells directions apart (slow).")
    representation: bool = option(
        False, "Train an encoder from images to coordinates along the directions, and score its codes (slow)."
    )
    dataset: str | None = option(
        None, "Data set with known factors whose images are encoded.", shown="the one behind the generator"
    )
    metrics: str = option("full", "Standard settings of the codes' scores, or smaller ones.", choices=("full", "quick"))
    encoder_pairs: int | None = option(
        None, "Pairs of images that the encoder is trained on.", at_least=10, shown="9600, or 1536 above 128 px"
    )
    encoder_steps: int = option(2000, "Optimisation steps of the encoder.", at_least=1)
    encoder_batch: int = option(48, "Pairs of one step of the encoder.", at_least=3)
    encoder_lr: float = option(2e-3, "Highest learning rate of the encoder.", above=0, at_most=1)
    encoder_width: int = option(
        24,
        "Channels of the encoder's first convolution, a multiple of 4; its last has three times as many.",
        at_least=4,
        at_most=512,
    )
    chunk: int | None = option(
        None, "Images synthesised at once (memory).", at_least=1, shown="64, fewer for large networks"
    )
    seed: int = option(0, "Fixes everything random.", at_least=0, at_most=2**62)
    latents: tuple[Path, ...] = option(
        (),
        "File of latents to shift instead of drawn samples, at least 4 in all, such as of ganwalk project; may be "
        "repeated. Effects on factors and the scores without labels are taken around them; cosines and MCC stay as "
        "they are, and no reconstructor is trained.",
        text=FILES,
    )

    def __post_init__(self) -> None:
        check_settings(self)
        check_images_differ(self.truncation_psi)
        if self.encoder_width % 4:
            raise GanwalkError(f"encoder-width must be a multiple of 4, not {self.encoder_width}")
        if self.latents and self.representation:
            raise GanwalkError("--representation trains on drawn samples: leave out --latents, or score that apart")
        if self.representation:
            return
        for entry in fields(self):
            if entry.name in OF_REPRESENTATION and getattr(self, entry.name) != entry.default:
                flag = entry.name.replace("_", "-")
                raise GanwalkError(f"--{flag} has no effect without --representation: leave it out")

    def given(self, generator: Generator) -> StoredSamples | None:
        """The latents to shift; None draws samples. GanwalkError if they do not fit the generator."""
        if not self.latents:
            return None
        from ganwalk.interchange.latents import latent_samples, read_latents

        files = [read_latents(file) for file in self.latents]
        return latent_samples(files, generator, self.truncation_psi, self.truncation_cutoff, self.class_index)

    def latents_in_words(self, given: StoredSamples) -> str:
        """What tells the latents of `given` from others: the names of their files, and their fingerprint."""
        return f"{', '.join(one_line(file.name, 60) for file in self.latents)} ({given.fingerprint[:12]})"

    def resolve(self, generator: Generator) -> EvaluationSettings:
        """These settings with None filled in and every value checked against the generator."""
        from ganwalk.generators.base import check_class, check_truncation

        check_class(generator, self.class_index)
        check_truncation(generator, self.truncation_psi, self.truncation_cutoff)
        sizes = default_sizes(generator)
        chosen: dict[str, Any] = {"samples": sizes.samples if self.samples is None else self.samples}
        given = self.given(generator)
        if given is not None:
            if len(given) < LEAST:
                raise GanwalkError(
                    f"--latents are {len(given)} sample{'s' * (len(given) != 1)}: {_NO_TOPOLOGY} than {LEAST}, give "
                    "more files"
                )
            if self.samples not in (None, len(given)):
                raise GanwalkError(f"--latents are {len(given)} samples, not {self.samples}: leave out --samples")
            chosen = {"samples": len(given), "reconstructor": False}
        if self.representation:
            from ganwalk.evaluation.representation.labelled import check_data_set

            chosen["dataset"] = check_data_set(generator, self.dataset)
            chosen["encoder_pairs"] = sizes.encoder_pairs if self.encoder_pairs is None else self.encoder_pairs
        return replace(self, **chosen)


def default_sizes(generator: Generator) -> Sizes:
    """What fits a generator, by the size of its images."""
    from ganwalk.discovery.view import IMAGE_DISTANCE_LIMIT

    return _SMALL if generator.resolution <= IMAGE_DISTANCE_LIMIT else _LARGE
