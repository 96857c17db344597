"""Whether the reach of directions is where pictures stop to be what they should be, on generators that are known.

    python benchmarks/reach.py            # a few minutes
    python benchmarks/reach.py --quick    # everything small; no file is kept

On `scenes`, realism is measured by what `ganwalk reach` knows nothing of: a picture's factors are read by the shipped
predictor, rendered by `vae.data.scene_renderer`, and compared with the picture. A sample has *failed* where the root
mean square of the difference is beyond the 0.95 quantile of unshifted samples: what the generator shows there is no
scene. Directions are principal components of w and random ones. Counted are samples that fail at multiples of the
reach and at a fixed amplitude, and, over all directions and both ways, how the reach ranks them against the amplitude
at which a quarter of the samples has failed. The pace is looked at on these samples, too: how uneven the changes of
equal steps are.

On `blobs`, along the true axes: how far a factor is from its mean at the reach, in its standard deviations, and how
much it still moves there.

The weighting of the two distances in `ganwalk.calibration.clouds` was chosen on one run of `jacobian` (seed 14); the
directions here are others.
"""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import itertools

from ganwalk.calibration.curves import exits, reach_of
from ganwalk.calibration.settings import ReachSettings
from ganwalk.calibration.walks import walk_directions
from ganwalk.compute.threads import threads_limited
from ganwalk.directions import Directions
from ganwalk.directions.reach import Reach
from ganwalk.evaluation.scene_predictor import load_predictor
from ganwalk.files import atomic_path, write_json
from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator
from ganwalk.rendering.images import from_bytes
from vae.data import scene_renderer

_RESULTS = Path(__file__).resolve().parent / "results" / "reach"
_SEED = 21
# Of the samples here, which are none of those that the reach was measured on.
_SAMPLES_SEED, _NATURAL_SEED = 31_337, 41_337
_GRID = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_MULTIPLES = (0.0, 0.5, 1.0, 1.5, 2.0)
_FIXED = 3.0
_STEPS = 6
_CHUNK = 64


def pictures_of(generator: Any, styles: Tensor) -> Tensor:
    """Images (n, 3, h, w) of styles, as they are shown."""
    with torch.no_grad():
        return torch.cat([generator.synthesis(part).clamp(-1, 1) for part in styles.split(_CHUNK)])


def failure(predictor: Any, images: Tensor) -> Tensor:
    """Root mean squares (n,) of what rendering the factors that are read off images leaves of them."""
    with torch.no_grad():
        found = predictor.predict(images)
    values = torch.cat(
        [
            found.hues,
            torch.stack([found.scale, found.shape.argmax(dim=1).float(), found.azimuth], dim=1),
        ],
        dim=1,
    )
    rendered = from_bytes(scene_renderer.render(scene_renderer.from_unit(values.numpy())))
    return (rendered - images).square().flatten(1).mean(dim=1).sqrt()


def directions_of_scenes(generator: Any, count: int) -> dict[str, Directions]:
    """Principal components of w, the strongest first, and random orthonormal directions."""
    with torch.no_grad():
        styles = generator.mapping(sample_z(generator, 4096, _SEED))[:, 0]
    components = torch.linalg.eigh(torch.cov(styles.T)).eigenvectors.T.flip(0)
    rng = torch.Generator().manual_seed(_SEED)
    random = torch.linalg.qr(torch.randn(generator.w_dim, generator.w_dim, generator=rng))[0]
    found = {}
    for method, rows in (("pca", components), ("random", random)):
        vectors = rows[:count].contiguous()
        found[method] = Directions(vectors, (styles @ vectors.T).std(dim=0), "w", generator.identity, method=method)
    return found


def on_scenes(
    samples: int, count: int, many: int, settings: ReachSettings
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Facts, and what the figure shows."""
    generator, predictor = load_generator("scenes").requires_grad_(False), load_predictor()
    natural = failure(predictor, pictures_of(generator, generator.mapping(sample_z(generator, many, _NATURAL_SEED))))
    limit = float(natural.quantile(0.95))
    styles = generator.mapping(sample_z(generator, samples, _SAMPLES_SEED))

    def failures(shifts: Tensor) -> Tensor:
        """Failure (k, samples) after each shift (k, num_layers, w_dim), in units of what is natural."""
        moved = (styles + shifts[:, None]).flatten(0, 1)
        return (failure(predictor, pictures_of(generator, moved)) / limit).view(len(shifts), -1)

    ours, theirs, shares, fixed, uneven = [], [], [], [], []
    rows: dict[str, Any] = {}
    for method, directions in directions_of_scenes(generator, count).items():
        reach = reach_of(walk_directions(generator, directions, settings), settings.share)
        for index in range(len(directions)):
            for side, sign in enumerate((-1, 1)):
                end = float(reach.ends[index, side])
                step = sign * directions.shift(index, num_layers=generator.num_layers)
                on_grid = failures(torch.stack([a * step for a in _GRID]))
                failed = float(exits(on_grid, torch.tensor(_GRID)).quantile(settings.share))
                along = failures(torch.stack([a * step for a in (*(end * m for m in _MULTIPLES), _FIXED)])) > 1
                *of_multiples, of_fixed = along.float().mean(dim=1).tolist()
                ours.append(end)
                theirs.append(failed)
                shares.append(of_multiples)
                fixed.append(of_fixed)
                uneven.append(_unevenness(generator, styles, step, reach, index, side))
                rows[f"{method} {index} {'+' if sign > 0 else '-'}"] = {
                    "reach": end,
                    "a quarter has failed at": failed,
                    "share failed at the reach": of_multiples[_MULTIPLES.index(1.0)],
                }
    at_reach = [row[_MULTIPLES.index(1.0)] for row in shares]
    by_pace, by_amplitude = np.mean(uneven, axis=0)
    facts = {
        "samples": samples,
        "natural failures": 0.05,
        "share failed at multiples of the reach": dict(
            zip(map(str, _MULTIPLES), np.mean(shares, axis=0).tolist(), strict=True)
        ),
        "share failed at the reach, deviation over directions": float(np.std(at_reach)),
        "share failed at 3 σ": float(np.mean(fixed)),
        "share failed at 3 σ, deviation over directions": float(np.std(fixed)),
        "rank correlation": float(spearmanr(ours, theirs)[0]),
        "median ratio": float(np.median(np.array(ours) / np.maximum(theirs, 1e-9))),
        "unevenness of steps of the pace": float(by_pace),
        "unevenness of steps of amplitude": float(by_amplitude),
        "directions": rows,
    }
    return facts, {"ours": np.array(ours), "theirs": np.array(theirs), "shares": np.array(shares)}


def _unevenness(
    generator: Any, styles: Tensor, step: Tensor, reach: Reach, index: int, side: int
) -> tuple[float, float]:
    """Deviation of the changes of equal steps up to the reach, over their mean: of the pace, and of the amplitude."""
    sign = 2 * side - 1
    places = np.linspace(0, 1, _STEPS + 1).tolist()
    paced = [abs(reach.amplitude(index, sign * place)) for place in places]
    plain = [float(reach.ends[index, side]) * place for place in places]

    def deviation(amplitudes: list[float]) -> float:
        images = [pictures_of(generator, styles[:8] + a * step) for a in amplitudes]
        changes = [float((b - a).flatten(1).square().mean(dim=1).sqrt().mean()) for a, b in itertools.pairwise(images)]
        return float(np.std(changes) / max(np.mean(changes), 1e-9))

    return deviation(paced), deviation(plain)


def on_blobs(many: int, settings: ReachSettings) -> dict[str, Any]:
    """Where the factors of `blobs` are at the reach of their axes."""
    generator = load_generator("blobs")
    axes = Directions(generator.axes.clone(), torch.ones(6), "z", generator.identity, method="true")
    curves = walk_directions(generator, axes, settings)
    reach = reach_of(curves, settings.share)
    codes = sample_z(generator, many, _SAMPLES_SEED)
    rows = {}
    for index, name in enumerate(generator.factor_names):
        moved = codes + float(reach.ends[index, 1]) * axes.vectors[index]
        values = generator.factors(generator.mapping(moved)[:, 0])[:, index]
        rates = np.interp(float(reach.ends[index, 1]), curves.amplitudes[1:].numpy(), curves.change[index, 1].numpy())
        rows[name] = {
            "reach": reach.ends[index].tolist(),
            "share beyond 3 standard deviations of the factor": float((values.abs() > 3).float().mean()),
            "change per σ at the reach, of the largest": float(rates / curves.change[index, 1].max()),
        }
    return rows


def save_figure(path: Path, shown: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """The reach against where pictures fail, and failures against multiples of the reach."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 8], [0, 8], color="#9aa0ac", lw=0.8)
    left.plot(shown["theirs"], shown["ours"], "o", color="#1f4e9c", ms=4, alpha=0.7)
    left.set_xlabel("a quarter of the samples is no scene any more (σ)")
    left.set_ylabel("reach (σ)")
    left.set_title(f"rank correlation {facts['rank correlation']:.2f}", fontsize=10)
    right.plot(_MULTIPLES, shown["shares"].T, color="#1f4e9c", lw=0.6, alpha=0.35)
    right.plot(_MULTIPLES, shown["shares"].mean(axis=0), color="#1f4e9c", lw=2.2)
    right.axhline(0.25, color="#9aa0ac", lw=0.8, ls=":")
    right.set_xlabel("amplitude, in multiples of the reach")
    right.set_ylabel("samples that are no scene")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def main() -> None:
    """Measures, prints, and writes results/reach/reach.json and reach.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="CPU threads [default: all cores]")
    parser.add_argument("--quick", action="store_true", help="few samples and directions; no file is kept")
    arguments = parser.parse_args()
    settings = ReachSettings(samples=4, steps=2) if arguments.quick else ReachSettings()
    samples, count, many = (4, 1, 32) if arguments.quick else (12, 3, 400)
    with threads_limited(arguments.threads):
        scenes, shown = on_scenes(samples, count, many, settings)
        facts = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "scenes": scenes,
            "blobs": on_blobs(many, settings),
        }
    print({name: value for name, value in scenes.items() if name != "directions"})
    print(facts["blobs"])
    if not arguments.quick:
        _RESULTS.mkdir(parents=True, exist_ok=True)
        write_json(_RESULTS / "reach.json", facts)
        save_figure(_RESULTS / "reach.png", shown, scenes)


if __name__ == "__main__":
    main()
