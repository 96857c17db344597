"""The report: one file that runs from a disk or a mail, and asks no other host for anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from ganwalk import __version__
from ganwalk.directions import DIRECTIONS_FILE, Directions
from ganwalk.directions.edits import Move
from ganwalk.discovery.methods import METHODS
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.meanings import SCORES
from ganwalk.files import write_text
from ganwalk.generators.base import Generator, check_layers
from ganwalk.interchange.latents import class_of_samples
from ganwalk.layers import in_words, numbers_of
from ganwalk.options.latents import as_discovered
from ganwalk.progress.callbacks import OnCount, counter
from ganwalk.rendering.images import is_zero, traverse, unmoved_pictures
from ganwalk.rendering.report.cards import Scores, card
from ganwalk.rendering.report.heat import HEAT_BYTES
from ganwalk.rendering.report.lead import lead_directions, lead_figure, lead_strip
from ganwalk.rendering.report.markup import file_name, text
from ganwalk.rendering.report.reproduce import discover_command, report_command
from ganwalk.rendering.report.settings import ReportSettings
from ganwalk.rendering.report.strips import DIRECTION_BYTES, Strip, encode_strip
from ganwalk.rendering.report.tables import (
    direction_table,
    heat_map,
    link,
    score_names,
    settings_table,
    summary_table,
)
from ganwalk.rendering.saliency import reduced, saliency_map
from ganwalk.samples import Samples, describe_truncation

# Directions that a page shows at once: the others are unfolded in parts.
PART = 20


def check_report(path: Path, generator: Generator, directions: Directions, settings: ReportSettings) -> None:
    """Raises GanwalkError if `write_report` would, as far as that can be known before anything slow is done."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise GanwalkError(f"{path} must end in .html")
    directions.check(generator)
    check_layers(generator, settings.layers, directions.space)
    settings.resolve(generator).samples(generator).check(generator)


def write_report(
    path: Path | str,
    generator: Generator,
    directions: Directions,
    settings: ReportSettings | None = None,
    *,
    evaluation: dict[str, Any] | None = None,
    directions_file: str = DIRECTIONS_FILE,
    mark: str = "",
    progress: OnCount | None = None,
) -> None:
    """Writes an HTML file with the pictures, scores and settings of directions.

    The strips of one direction take at most 0.7 MB, so that twenty directions stay below 15 MB.

    Args:
        path: ends in .html.
        settings: None takes the defaults.
        evaluation: scores of these directions, from `Evaluation.to_json` or `load_evaluation`; None shows none.
        directions_file: name of their file, for the command that writes the report again.
        mark: what tells a report of the same directions and settings (`ganwalk.rendering.naming`).
        progress: called with images done and images in all.
    Raises:
        GanwalkError: the directions do not fit the generator, or the file cannot be written.
    """
    path, given = Path(path), settings or ReportSettings()
    settings = as_discovered(given, class_of_samples(directions, given.latents, generator)).resolve(generator)
    check_report(path, generator, directions, settings)
    shown = _shown(directions, settings)
    samples, amplitudes = settings.samples(generator), _amplitudes(settings)
    scores = Scores.of(evaluation) if evaluation else None
    count = counter(count_pictures(directions, settings, len(samples)), progress)
    making: dict[str, Any] = {"batch": settings.batch, "on_images": count}
    unmoved = [unmoved_pictures(generator, directions, amplitudes, sample, **making) for sample in samples]
    # Of an even number of steps none is the sample itself, which the heat maps lie on.
    first = unmoved[0]
    if first is None:
        first = unmoved_pictures(generator, directions, [0.0], samples.select([0]), **making)
    assert first is not None
    cards, leading, lead = [], lead_directions(directions, shown), dict[int, Strip]()
    for index in shown:
        moves = [Move(index, 1.0, settings.layers)]
        strips: list[Strip] = []
        maps: list[np.ndarray] = []
        for sample, picture in zip(samples, unmoved, strict=True):
            pictures = traverse(generator, directions, moves, amplitudes, sample, unmoved=picture, **making)[0]
            strips.append(encode_strip(pictures, (DIRECTION_BYTES - HEAT_BYTES) // len(samples)))
            maps.append(saliency_map([reduced(pictures)]) / (amplitudes[1] - amplitudes[0]))
            if index in leading and index not in lead:
                lead[index] = lead_strip(pictures)
        heat = (np.mean(maps, axis=0), first[0])
        cards.append(card(directions, index, samples, strips, amplitudes, scores, heat))
    style, script = (_piece(name) for name in ("style.css", "script.js"))
    name = text(file_name(directions.generator.reference), 120)
    write_text(
        path,
        Template(_piece("page.html")).substitute(
            policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            style=style,
            script=script,
            title=f"Directions of {name}",
            lead=lead_figure(directions, samples.select([0]), lead, amplitudes),
            facts=_facts(directions, shown),
            remarks=_remarks(directions, shown, settings, samples),
            commands=_commands(generator, directions, directions_file, given, evaluation),
            settings=_all_settings(directions, settings, evaluation),
            contents=_contents(directions, shown),
            scores=_score_section(directions, shown, evaluation),
            part=PART,
            tools=_tools(directions, shown, evaluation),
            cards="\n".join(cards),
            version=text(__version__),
            mark=text(mark),
        ),
    )


def count_pictures(directions: Directions, settings: ReportSettings, samples: int) -> int:
    """Images that `write_report` makes with resolved settings: those of the samples themselves once only.

    The first of these is made in any case.
    """
    amplitudes = _amplitudes(settings)
    zeros = sum(map(is_zero, amplitudes))
    return samples * (len(_shown(directions, settings)) * (len(amplitudes) - zeros) + zeros) + (zeros == 0)


def _shown(directions: Directions, settings: ReportSettings) -> list[int]:
    return list(range(len(directions))) if settings.hidden else directions.visible()


def _amplitudes(settings: ReportSettings) -> list[float]:
    assert settings.steps is not None
    return [float(a) for a in np.linspace(-settings.amplitude, settings.amplitude, settings.steps)]


def _contents(directions: Directions, shown: Sequence[int]) -> str:
    """Links to the directions; to the first of each part where they are many."""
    if len(shown) <= PART:
        return "".join(f"<li>{link(directions, index)}</li>" for index in shown)
    parts = [shown[start : start + PART] for start in range(0, len(shown), PART)]
    return "".join(
        f'<li><a href="#direction-{part[0]}"><span class="unseen">Directions </span>{part[0]} to {part[-1]}</a></li>'
        for part in parts
    )


def _facts(directions: Directions, shown: Sequence[int]) -> str:
    """What these directions are, as a list of terms."""
    identity = directions.generator
    method = METHODS.get(directions.method)
    about = f": {text(method.summary)} ({text(method.source)})" if method else ""
    of_all = "" if len(shown) == len(directions) else f", {len(shown)} of them shown"
    entries = {
        "generator": f"{text(file_name(identity.reference), 200)}, {text(identity.architecture, 60)} of "
        f"{text(identity.image_size or identity.resolution, 12)} px, SHA-256 <code>{text(identity.sha256, 12)}</code>",
        "method": text(directions.method, 200) + about,
        "space": directions.space,
        "layers": _layers_shown(directions),
        "directions": f"{len(directions)}{of_all}",
        "seed": text(directions.seed, 40),
        "found by": f"ganwalk {text(directions.version, 40)}" if directions.version else "unknown version",
    }
    return "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in entries.items())


def _layers_shown(directions: Directions) -> str:
    """The layers that are shifted; of each direction, where they differ."""
    if directions.space not in ("w+", "s") and not directions.own_layers:
        return numbers_of(directions.layers)
    each = [directions.layers_of(index) for index in range(len(directions))]
    if len(set(each)) == 1:
        return f"{numbers_of(each[0])}, each by values of its own"
    return "; ".join(f"{text(directions.title(index))}: {in_words(layers)}" for index, layers in enumerate(each))


def _remarks(directions: Directions, shown: Sequence[int], settings: ReportSettings, samples: Samples) -> str:
    """What the pictures are, and which directions are not here."""
    summary, truncation = samples.summary, describe_truncation(samples)
    truncated = f", truncation {truncation}" if truncation else ""
    chosen = "" if settings.class_index is None else f", class {settings.class_index}"
    lines = [
        f"Pictures: samples of {text(summary, len(summary))}{truncated}{chosen}, each shifted by up to "
        f"±{settings.amplitude:g} "
        "standard deviations (σ) of the latents along a direction; nothing is retouched, but pictures are compressed "
        "and large ones reduced."
    ]
    if settings.layers is not None:
        lines.append(f"The pictures shift {in_words(settings.layers)} only; scores are of the directions as they are.")
    left_out = len(directions) - len(shown)
    if left_out:
        lines.append(f"{left_out} hidden direction{'s are' if left_out > 1 else ' is'} left out.")
    return "".join(f"<p>{line}</p>" for line in lines)


def _commands(
    generator: Generator,
    directions: Directions,
    directions_file: str,
    settings: ReportSettings,
    evaluation: dict[str, Any] | None,
) -> str:
    discover = discover_command(directions, generator)
    report = report_command(directions, directions_file, settings, evaluation is not None)
    if discover is not None:
        intro = "<p>This finds the directions (unless their discovery was interrupted) and writes this report:</p>"
        lines = f"{text(discover, 4000)}\n{text(report, 4000)}"
    else:
        intro = (
            "<p>No command finds these directions: they were imported, or their settings are not all options. "
            "From their file, this writes the report:</p>"
        )
        lines = text(report, 4000)
    return (
        f'{intro}<pre role="region" tabindex="0" aria-label="Commands to reproduce"><code>{lines}</code></pre>'
        "<p>Files are named without their folders.</p>"
    )


def _all_settings(directions: Directions, settings: ReportSettings, evaluation: dict[str, Any] | None) -> str:
    shown = {**vars(settings), "latents": [file.name for file in settings.latents]}
    parts = {"method": directions.settings, "report": shown}
    if evaluation is not None:
        parts["scores"] = evaluation["settings"]
    return "".join(
        settings_table(f"settings-of-{what}", f"Settings of the {what}", values)
        for what, values in parts.items()
        if values
    )


def _score_section(directions: Directions, shown: Sequence[int], evaluation: dict[str, Any] | None) -> str:
    """Scores of all directions and of each, and the matrices behind them."""
    if evaluation is None:
        return "<p>This report was written without scores.</p>"
    how, compared = evaluation["settings"], evaluation.get("compared")
    length = f"{text(how.get('amplitude'), 20)} σ on {text(how.get('samples'), 20)} samples"
    if how.get("latents"):
        length += f" that were not drawn but given, {text(how['latents'], 200)}"
    left_out = " Directions that are left out below count here." * (len(shown) < len(directions))
    features = ""
    if compared:
        features = (
            f" Scores that need no labels are of features of layer {text(compared.get('layer'), 20)} "
            f"({text(compared.get('resolution'), 20)} px), not of whole images."
        )
    parts = [
        f"<p>From shifts by {length}.{left_out}{features} Scores that need no labels say less than they seem to: on a "
        "generator whose true axes are known, a random rotation of them has nearly the same mean RTD, paths as "
        "straight, and is told apart by a network as well; of these scores, only distinctness tells the two apart. "
        "Look at the pictures, too.</p>",
        summary_table(evaluation),
        direction_table(directions, shown, evaluation["directions"]),
    ]
    effects, axes = evaluation.get("effects"), evaluation.get("axes")
    if effects and effects["names"]:
        reader = effects.get("reader")
        read = f" Factors were read off by: {text(reader, 200)}." if isinstance(reader, str) else ""
        parts.append(
            "<h3>Effects on factors</h3><p>How far a shift by one σ along a direction moves each factor, in standard "
            f"deviations of the factor. At best, every row and every column has one large entry.{read}</p>"
        )
        caption = "Effects of directions on factors"
        parts.append(heat_map("effects", caption, directions, shown, effects["names"], effects["matrix"]))
    if axes and axes["names"]:
        parts.append(
            "<h3>True axes</h3><p>This generator knows its own axes of variation: 1 is the same direction.</p>"
        )
        caption = "|cosine| of directions with true axes"
        parts.append(heat_map("axes", caption, directions, shown, axes["names"], axes["cosines"]))
    representation = evaluation.get("representation")
    if representation and representation["names"]:
        parts.append(
            "<h3>Representation</h3><p>What an encoder's coordinates along the directions, read off single images of "
            f"the data set {text(representation.get('dataset'), 40)}, tell of its factors: mutual information in nats. "
            "At best, every column has one large entry.</p>"
        )
        caption = "Mutual information of codes and factors"
        parts.append(
            heat_map("information", caption, directions, shown, representation["names"], representation["information"])
        )
    return "".join(parts)


def _tools(directions: Directions, shown: Sequence[int], evaluation: dict[str, Any] | None) -> str:
    """The choice of an order, and of starred directions if there are any."""
    names = score_names([evaluation["directions"][index] for index in shown]) if evaluation else []
    # What is best comes first.
    options = "".join(
        f'<option value="{name}" data-sign="{1 if SCORES[name].lower_is_better else -1}">{text(SCORES[name].words)}, '
        f"{'lowest' if SCORES[name].lower_is_better else 'highest'} first</option>"
        for name in names
    )
    parts = []
    if options:
        parts.append(
            '<label>Order <select id="order"><option value="index" data-sign="1">as in the file</option>'
            f"{options}</select></label>"
        )
    if any(directions.labels[index].starred for index in shown):
        parts.append('<label><input type="checkbox" id="starred"> starred only</label>')
    return "".join(parts)


def _piece(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """What a Content-Security-Policy calls the content of an inline element."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
