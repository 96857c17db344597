"""What a run leaves to look at: pictures of the model, curves of the training, scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganwalk.files import atomic_path, write_json
from ganwalk.pictures.sheets import Sheet, cell_size, resize, save_picture, side_by_side
from ganwalk.video.gif import write_gif
from vae.data.base import ImageData
from vae.metrics import SCORES, active_codes, kl_per_dimension
from vae.models import VAE
from vae.runs.folder import SCORES_FILE
from vae.scores.evaluation import Codes, ModelScores, draw_rows, encode
from vae.scores.information_map import draw_map
from vae.scores.tables import COLOURS, INK, LABELS, SHARES
from vae.training.step import load_images

_OF_MODEL = ("reconstructions.png", "traversals.png", "traversals.gif")
_HISTORY, _EFFECTS = "curves.png", "effects.png"
PICTURES = (*_OF_MODEL, _HISTORY, _EFFECTS)
"""Files of pictures in the folder of a run."""

# Positions of a coordinate in units of the prior's standard deviation.
_REACH, _POSITIONS = 2.5, 11
# Dimensions in a picture, the most informative ones.
_SHOWN = 50
_PICTURES = 10
_ROWS = 2000
_FRAMES, _FPS = 36, 18
_GAP = 4
_ACCENT = COLOURS[0]
# Rows of a history up to which each is a dot: a line of one row would be nothing.
_DOTTED = 20
# Lines, and dots of few points, where colours begin anew.
_STYLES = (("-", "o"), ("--", "s"), (":", "^"))
_CURVES: Mapping[str, str] = {
    "reconstruction": LABELS["bce"],
    "kl": LABELS["kl"],
    "topdis": "TopDis term",
    "conflict": "share of steps whose TopDis gradient\nworked against reconstruction",
    "tc": "total correlation, nats",
}


def draw_model(model: VAE, data: ImageData, folder: Path, *, seed: int = 0) -> list[Path]:
    """Writes reconstructions.png, traversals.png and traversals.gif."""
    training = model.training
    model.eval()
    paths = [folder / name for name in _OF_MODEL]
    codes, kl, order = _look(model, data, seed)
    with torch.no_grad():
        save_picture(reconstruction_sheet(model, data, codes.indices[:_PICTURES]), paths[0])
        save_picture(traversal_sheet(model, codes.mean[0], kl, active_codes(codes.mean), order), paths[1])
        frames = traversal_frames(model, codes.mean[0], order)
    with atomic_path(paths[2]) as partial:
        write_gif(partial, iter(frames), _FPS)
    model.train(training)
    return paths


def draw_traversals(models: Mapping[str, VAE], data: ImageData, path: Path, *, seed: int = 0) -> None:
    """Traversals of several models from the same picture, side by side with their titles."""
    sheets = []
    for title, model in models.items():
        codes, kl, order = _look(model, data, seed)
        sheets.append(traversal_sheet(model, codes.mean[0], kl, active_codes(codes.mean), order, title))
    save_picture(side_by_side(sheets, 2), path)


def _look(model: VAE, data: ImageData, seed: int) -> tuple[Codes, np.ndarray, np.ndarray]:
    """Codes of some images, KL divergence (z_dim,), and the dimensions to show, most informative first."""
    codes = encode(model, data, draw_rows(data, _ROWS, seed))
    kl = kl_per_dimension(codes.mean, codes.log_variance)
    return codes, kl, np.argsort(-kl)[:_SHOWN]


def reconstruction_sheet(model: VAE, data: ImageData, indices: np.ndarray) -> Any:
    """Images above what the model makes of them."""
    device = next(model.parameters()).device
    batch = load_images(data, indices, device)
    decoded = model.decode(model.represent(batch)[0]).sigmoid()
    sheet = Sheet((data.resolution, data.resolution), [""] * len(indices), ["image", "decoded"])
    sheet.paste(0, _pixels(batch))
    sheet.paste(1, _pixels(decoded))
    return sheet.finish(f"{data.name}, {data.resolution} px: images and their reconstructions")


def traversal_sheet(
    model: VAE,
    mean: np.ndarray,
    kl: np.ndarray,
    active: np.ndarray,
    order: np.ndarray,
    title: str = "latent traversals",
) -> Any:
    """One row per latent dimension: what its coordinate changes in one encoded picture.

    Args:
        mean: (z_dim,) code of the picture.
        kl: (z_dim,) KL divergence in nats; bars show shares of the largest.
        active: (z_dim,) whether a dimension is in use.
        order: dimensions from top to bottom.
        title: what the caption begins with.
    """
    positions = np.linspace(-_REACH, _REACH, _POSITIONS)
    labels = ["0" if p == 0 else f"{p:+.3g}".replace("-", "−") for p in positions]
    rows = [f"z{k}" if active[k] else f"z{k} (off)" for k in order]
    shares = (kl[order] / max(float(kl.max()), 1e-12)).tolist()
    size = (model.config.resolution, model.config.resolution)
    sheet = Sheet(size, labels, rows, shares, [_POSITIONS // 2])
    for row, dimension in enumerate(order):
        sheet.paste(row, _pixels(_decode_along(model, mean, int(dimension), positions)))
    shown = f"{len(order)} of {len(kl)} dimensions · " if len(order) < len(kl) else ""
    return sheet.finish(
        f"{title} · {shown}coordinates in σ of the prior · bars: KL divergence up to {kl.max():.2f} nats"
    )


def traversal_frames(model: VAE, mean: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    """Frames (h, w, 3) uint8 of dimensions side by side, each moving there and back."""
    positions = np.array([_REACH * math.sin(2 * math.pi * k / _FRAMES) for k in range(_FRAMES)])
    cell = cell_size(model.config.resolution)
    columns = min(5, len(order))
    rows = -(-len(order) // columns)
    pitch = cell + _GAP
    frames = np.full((_FRAMES, rows * pitch - _GAP, columns * pitch - _GAP, 3), 255, np.uint8)
    for place, dimension in enumerate(order):
        top, left = place // columns * pitch, place % columns * pitch
        for frame, pixels in zip(frames, _pixels(_decode_along(model, mean, int(dimension), positions)), strict=True):
            frame[top : top + cell, left : left + cell] = np.asarray(resize(pixels, (cell, cell)).convert("RGB"))
    return list(frames)


def draw_history(history: Sequence[Mapping[str, float]], folder: Path) -> list[Path]:
    """Writes curves.png: a panel for every column of the history, and one across for the quick scores."""
    from matplotlib.figure import Figure

    names = [name for name in dict.fromkeys(n for row in history for n in row) if name not in ("step", "loss")]
    scored = [name for name in names if name.startswith("quick_") and name[6:] in SHARES]
    plain = [name for name in names if not name.startswith("quick_")]
    if not plain and not scored:
        return []
    columns = 2 if len(plain) == 4 else max(1, min(3, len(plain)))
    rows = -(-len(plain) // columns)
    figure = Figure(figsize=(max(7.0, 4.2 * columns), 2.7 * rows + 3.4 * bool(scored)), layout="constrained")
    heights = [2.7] * rows + [3.4] * bool(scored)
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    panels = []
    for place, name in enumerate(plain):
        axis = figure.add_subplot(grid[place // columns, place % columns])
        _plot(axis, history, name, color=_ACCENT, lw=1.4)
        axis.set_title(_CURVES.get(name, name.replace("_", " ")), fontsize=10, color=INK)
        panels.append(axis)
    if scored:
        axis = figure.add_subplot(grid[rows, :])
        for place, name in enumerate(scored):
            line, dot = _STYLES[place // len(COLOURS) % len(_STYLES)]
            style = {"color": COLOURS[place % len(COLOURS)], "ls": line, "lw": 1.4}
            _plot(axis, history, name, dot, label=SCORES[name[6:]], **style)
        axis.set_title("quick scores", fontsize=10, color=INK)
        axis.set_ylim(-0.02, 1.02)
        axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
        panels.append(axis)
    # One range for all: a column that begins late is seen to do so.
    steps = [row["step"] for row in history]
    for axis in panels:
        axis.set_xlim(0, max(steps) * 1.02)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    figure.supxlabel("step", fontsize=9)
    path = folder / _HISTORY
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120)
    return [path]


def write_scores(scores: ModelScores, data: ImageData, folder: Path, *, level: str, seed: int) -> list[Path]:
    """Writes scores.json and, where factors are known, effects.png."""
    paths = [folder / SCORES_FILE]
    write_json(
        paths[0],
        {
            "metrics": level,
            "seed": seed,
            "scores": {name: round(value, 6) for name, value in scores.values.items()},
            "kl_per_dimension": [round(float(value), 6) for value in scores.kl],
            "factors": list(data.factor_names),
            "mutual_information": [[round(float(v), 6) for v in row] for row in scores.information],
        },
    )
    if data.factor_names:
        paths.append(folder / _EFFECTS)
        draw_information(scores, data.factor_names, paths[1])
    return paths


def draw_information(scores: ModelScores, factor_names: Sequence[str], path: Path) -> None:
    """A heat map of mutual information: dimensions, sorted by KL divergence, against factors."""
    order = np.argsort(-scores.kl)[:_SHOWN]
    shown = f"{len(order)} of {len(scores.kl)} dimensions" if len(order) < len(scores.kl) else "dimension"
    draw_map(
        scores.information[order],
        [f"z{k} ({scores.kl[k]:.2f})" for k in order],
        factor_names,
        path,
        rows=f"{shown} (KL divergence, nats)",
    )


def _plot(axis: Any, history: Sequence[Mapping[str, float]], name: str, dot: str = "o", **style: Any) -> None:
    """A column over the steps, with dots if they are few; rows without a finite value are left out."""
    rows = [(row["step"], row[name]) for row in history if math.isfinite(row.get(name, math.nan))]
    marker = {"marker": dot, "ms": 4} if len(rows) <= _DOTTED else {}
    axis.plot([step for step, _ in rows], [value for _, value in rows], **marker, **style)


def _decode_along(model: VAE, mean: np.ndarray, dimension: int, positions: np.ndarray) -> torch.Tensor:
    """Decoded pictures (n, channels, h, w) of a code (z_dim,) whose one coordinate takes these positions (n,)."""
    device = next(model.parameters()).device
    z = torch.from_numpy(mean).float().repeat(len(positions), 1)
    z[:, dimension] = torch.from_numpy(positions).float()
    with torch.no_grad():
        return model.decode(z.to(device)).sigmoid()


def _pixels(images: torch.Tensor) -> np.ndarray:
    """Bytes (n, h, w, 3), or (n, h, w) of one channel, of images (n, channels, h, w) in [0, 1]."""
    pixels = (images * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels
