"""The settings of a discovery, and their resolution against a generator. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError
from ganwalk.layers import AUTO, hull_of, in_words
from ganwalk.options import TextForm, check_settings, option
from ganwalk.options.latents import amplitude_field, check_images_differ, class_field, cutoff_field, psi_field
from ganwalk.options.quantities import BYTES, DURATION
from ganwalk.options.ranges import LAYERS_OR_AUTO
from ganwalk.rtd.choices import SCALE_GRADIENTS

if TYPE_CHECKING:
    from ganwalk.discovery.view import View
    from ganwalk.generators.base import Generator

SEARCHES = ("auto", "student", "direct")
PRECISIONS = ("auto", "float32", "bfloat16")
# Settings that are no part of a search: a run that was stopped may continue with others, and finds the same.
APART = ("budget", "memory", "compared")
# Methods that go step by step, and those of them that mean the same on a student, whose features keep distances only.
OPTIMISED = ("rtd", "auto", "hessian", "orojar", "latent-deformator", "latentclr", "disco")
ON_STUDENT = ("rtd", "auto")
# Methods that train their directions, which begin at random as in the papers, with their steps; and those that may
# leave directions which are not orthogonal.
LEARNED = {"latent-deformator": 400, "latentclr": 400, "disco": 400}
OBLIQUE_TOO = ("latent-deformator", "disco")
# Methods that are told the factors of images.
SUPERVISED = ("interfacegan",)
# Settings of the optimisation alone: methods with a closed form have no use for them.
OF_SEARCH = ("start", "steps", "batch", "directions_per_step", "oblique", "lr", "search", "images", "polish", "budget")
# Those that only a search on a student has.
_OF_STUDENT = ("images", "polish")
_STEPS = 200
# Baselines that have a closed form and can serve nearly every generator.
COMPARABLE = ("pca", "random", "sefa", "jacobian", "local")
# Weights below which a network is smaller than its student would be.
_SMALL_NETWORK = 2**18


@dataclass(frozen=True)
class Effort:
    """How much is made of a generator if nobody says.

    Attributes:
        images: that a student is fitted to, at first.
        polish: steps on the network itself after a search on a student.
        scored: images that the result is scored on.
    """

    images: int
    polish: int
    scored: int


EFFORTS = {"quick": Effort(1024, 0, 16), "normal": Effort(3072, 6, 32), "thorough": Effort(9216, 40, 64)}


def _parse_compared(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in names:
        if name not in COMPARABLE:
            raise GanwalkError(f"cannot compare with {name!r:.40}: choose of {', '.join(COMPARABLE)}")
    return tuple(dict.fromkeys(names))


COMPARED = TextForm("NAME,NAME", _parse_compared, ",".join)


@dataclass(frozen=True)
class DiscoverySettings:
    """Options of `ganwalk discover`; None means: chosen for the generator.

    Values that no generator could have are refused on construction, the others by `resolve`.

    Raises:
        GanwalkError: on construction, if a value is out of its bounds.
    """

    n_directions: int = option(20, "How many directions to find.", "-n", "--n-directions", at_least=1)
    method: str = option(
        "rtd",
        "rtd; local, which looks for directions that act in different places; auto, the better of these two; or "
        "another one: random, pca, sefa, jacobian, hessian, orojar, latent-deformator, latentclr, disco; "
        "interfacegan is supervised, it knows the factors.",
        "-m",
        "--method",
    )
    space: str | None = option(None, "Latent space.", choices=("w", "z"), shown="w if the generator has one")
    subspace_dim: int | None = option(
        None, "Principal components inside which the basis is rotated.", at_least=1, shown="n-directions"
    )
    layers: tuple[int, int] | tuple[tuple[int, int], ...] | None = option(
        None,
        "Shift only these layers' styles. auto: search in all, in early, in middle and in late ones, and keep the "
        "directions that change least else in the picture; takes four times as long.",
        text=LAYERS_OR_AUTO,
        shown="all",
    )
    layer: int | None = option(
        None,
        "Compare the features of this layer.",
        at_least=0,
        shown="the image, or early features of large generators",
    )
    amplitude: float = amplitude_field(2.0, "Length of a shift in standard deviations along the direction.")
    ramp: float = option(
        0.5,
        "Share of the amplitude at the first step: shifts grow to the whole during the first half.",
        above=0,
        at_most=1,
        typed=False,
    )
    equalize: bool = option(True, "Scale shifts towards an equal change of the image, up to four times.")
    start: str | None = option(
        None,
        "Basis from which the optimisation starts.",
        choices=("jacobian", "random"),
        shown="jacobian, or as the method's paper has it",
    )
    steps: int | None = option(None, "Optimisation steps.", at_least=0, shown="200, or what the method needs")
    batch: int = option(64, "Images per batch.", at_least=3, why="fewer points have no topology to compare")
    directions_per_step: int = option(4, "Directions that rtd measures in each step.", "--per-step", at_least=1)
    oblique: bool = option(
        False, "Let latent-deformator and disco find directions that need not be orthogonal.", "--oblique"
    )
    both_signs: bool = option(False, "Shift a direction both ways in one step, instead of a random one.", typed=False)
    minimax: bool = option(True, "Of RTD, use the max terms beside the min terms.", typed=False)
    scale_gradient: str = option(
        "exact",
        "Whether RTD's gradient goes through the quantile that distances are divided by, or takes it as a constant.",
        choices=SCALE_GRADIENTS,
    )
    lr: float = option(0.05, "Learning rate of Adam on the parameters of the directions.", above=0)
    truncation_psi: float = psi_field("batches")
    truncation_cutoff: int | None = cutoff_field()
    class_index: int | None = class_field("drawn anew for each image")
    search: str = option(
        "auto",
        "Where rtd searches: on a student, a small network fitted to features of the generator, or directly on the "
        "generator. auto: a student, unless the generator is smaller than one, or no student explains it.",
        choices=SEARCHES,
        absent="direct",
    )
    effort: str = option(
        "normal",
        "Sets --images, --polish and --scored where they are not given.",
        choices=tuple(EFFORTS),
    )
    images: int | None = option(
        None,
        "Images that a student is fitted to; more are made while it explains too little. Or that interfacegan reads.",
        at_least=256,
        shown="by --effort: 1024, 3072 or 9216",
    )
    polish: int | None = option(
        None,
        "Steps on the generator itself after the search on a student.",
        at_least=0,
        shown="by --effort: 0, 6 or 40",
    )
    scored: int | None = option(
        None,
        "Images that the result is scored on.",
        at_least=4,
        why="fewer have no topology to compare",
        shown="by --effort: 16, 32 or 64; after a direct search, the batch",
    )
    compared: tuple[str, ...] = option(
        (),
        "Score these beside the result: pca, random, sefa, jacobian, local.",
        "--compare",
        text=COMPARED,
    )
    precision: str = option(
        "auto",
        "Arithmetic of the synthesis. auto: bfloat16 above 128 px where the processor computes in it.",
        choices=PRECISIONS,
    )
    memory: float = option(3e9, "Memory that the process may take; decides --chunk.", above=0, text=BYTES)
    budget: float | None = option(
        None, "Stop searching after about this time, such as 10m, with the best so far.", above=0, text=DURATION
    )
    chunk: int | None = option(
        None, "Images synthesised at once.", at_least=1, shown="64, fewer for large networks, by --memory"
    )
    image_seed: int = option(0, "Fixes the images that a student is fitted to.", at_least=0, at_most=2**40, typed=False)
    evaluate_every: int = option(
        50,
        "Steps between two evaluations on the held batch, which also equalise the shifts anew.",
        at_least=1,
        typed=False,
    )
    seed: int = option(0, "Fixes everything random.", at_least=0, at_most=2**62)

    def __post_init__(self) -> None:
        check_settings(self)
        check_images_differ(self.truncation_psi)

    def resolve(self, generator: Generator) -> DiscoverySettings:
        """These settings with every None filled in and every value checked against the generator."""
        from ganwalk.discovery.subspace import resolve_space
        from ganwalk.discovery.view import IMAGE_DISTANCE_LIMIT, default_chunk, default_layer, default_precision
        from ganwalk.generators.base import check_class, check_layer, check_layers, check_truncation
        from ganwalk.generators.channels import space_dim

        space = resolve_space(generator, self.space)
        total = space_dim(generator, space)
        if self.n_directions > total:
            raise GanwalkError(
                f"n-directions {self.n_directions} is above the {total} dimensions of {space}: "
                f"use --n-directions {total} or fewer"
            )
        subspace_dim = self.n_directions if self.subspace_dim is None else self.subspace_dim
        if not self.n_directions <= subspace_dim <= total:
            raise GanwalkError(
                f"subspace-dim must lie between n-directions ({self.n_directions}) and the {total} dimensions "
                f"of {space}, not {subspace_dim}"
            )
        if self.layers == AUTO and space == "z":
            raise GanwalkError("layers of their own are for directions in w: drop --layers auto")
        check_layers(generator, None if self.layers == AUTO else self.layers, space)
        layer = default_layer(generator) if self.layer is None else check_layer(self.layer, generator.num_layers)
        if self.layers and hull_of(self.layers)[0] > layer:
            raise GanwalkError(
                f"features of layer {layer} do not depend on {in_words(self.layers)}: "
                f"use --layer {hull_of(self.layers)[1]} or higher"
            )
        check_class(generator, self.class_index)
        check_truncation(generator, self.truncation_psi, self.truncation_cutoff)
        optimised = self.method in OPTIMISED
        alone = optimised and self.method not in ON_STUDENT
        if alone and self.search == "student":
            raise GanwalkError(f"{self.method} cannot search on a student: use --search direct")
        search = "direct" if self.search == "auto" and (alone or _is_small(generator)) else self.search
        pictured = search != "direct" or self.method in SUPERVISED
        effort = EFFORTS[self.effort]
        scored = max(4, self.batch) if search == "direct" else effort.scored
        if not optimised and generator.resolution > IMAGE_DISTANCE_LIMIT:
            # Directions that take a second should not be scored for minutes.
            scored = min(scored, max(4, 3 * effort.scored // 8))
        return replace(
            self.of_method(),
            space=space,
            subspace_dim=subspace_dim,
            layer=layer,
            chunk=default_chunk(generator, layer, self.memory) if self.chunk is None else self.chunk,
            search=search,
            images=effort.images if self.images is None and pictured else self.images,
            polish=effort.polish if self.polish is None and search != "direct" else self.polish,
            scored=scored if self.scored is None else self.scored,
            precision=default_precision(generator) if self.precision == "auto" else self.precision,
            directions_per_step=min(self.directions_per_step, self.n_directions),
        )

    def of_method(self) -> DiscoverySettings:
        """These settings with those filled in that the method alone decides."""
        start = "random" if self.method in LEARNED else "jacobian"
        return replace(
            self,
            start=start if self.start is None else self.start,
            steps=LEARNED.get(self.method, _STEPS) if self.steps is None else self.steps,
        )

    def unused(self) -> tuple[str, ...]:
        """Names of the settings of the optimisation that mean nothing to the method."""
        if self.method not in OPTIMISED:
            return tuple(name for name in OF_SEARCH if name != "images" or self.method not in SUPERVISED)
        unused = () if self.method in ON_STUDENT else ("directions_per_step", *_OF_STUDENT)
        return unused if self.method in OBLIQUE_TOO else (*unused, "oblique")

    def fitting(self, generator: Generator) -> DiscoverySettings:
        """These settings with no more directions than the latent space has dimensions."""
        from ganwalk.discovery.subspace import resolve_space
        from ganwalk.generators.channels import space_dim

        total = space_dim(generator, resolve_space(generator, self.space))
        return replace(self, n_directions=min(self.n_directions, total, self.subspace_dim or total))

    @property
    def measured(self) -> int:
        """Images that effects are measured on, and shifts equalised; only for resolved settings."""
        assert self.scored is not None
        return self.scored if self.search == "direct" else max(4, self.scored // 2)

    def view(self) -> View:
        """How latents become points; only for resolved settings."""
        from ganwalk.discovery.view import View

        assert self.space is not None and self.layer is not None and self.chunk is not None
        assert self.precision != "auto"
        return View(
            space=self.space,
            layers=self.layers or None,
            layer=self.layer,
            noise="const",
            truncation_psi=self.truncation_psi,
            truncation_cutoff=self.truncation_cutoff,
            class_index=self.class_index,
            chunk=self.chunk,
            precision=self.precision,
        )


def _is_small(generator: Generator) -> bool:
    """Whether a network has fewer weights than a student; of code that holds none, nobody knows."""
    # Wrappers hand it on; what is no module has none.
    parameters = getattr(generator, "parameters", tuple)
    weights = sum(weight.numel() for weight in parameters())
    hidden = weights == 0 and generator.identity.architecture == "python"
    return weights < _SMALL_NETWORK and not hidden
