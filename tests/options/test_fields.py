"""Options stated once: what follows from a field, and files of versions that had fewer."""

import json
import subprocess
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import get_type_hints

import click
import pytest
import torch
from click.testing import CliRunner

from ganwalk.directions import Directions
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.naming.settings import NamingSettings
from ganwalk.options import TextForm, check_settings, completed, option, options_of
from ganwalk.options.command_line import settings_options
from ganwalk.options.records import scalar_type
from ganwalk.options.words import command_words, options_table
from ganwalk.rendering.report.reproduce import discover_command
from ganwalk.rendering.report.settings import ReportSettings
from vae.codes.settings import CodesSettings
from vae.objectives import OBJECTIVES
from vae.settings import ScoringSettings, TopDisSettings, TrainingSettings, load_settings

OLD = Path(__file__).parents[1] / "files_0_1_0"
DOCS = Path(__file__).parents[2] / "docs" / "options.md"
KINDS = [DiscoverySettings, EvaluationSettings, NamingSettings, ReportSettings]
KINDS += [CodesSettings, ScoringSettings, TopDisSettings, TrainingSettings]
KINDS += [entry.settings for entry in OBJECTIVES.values()]


@dataclass(frozen=True)
class Example:
    """Settings of every kind of option."""

    count: int = option(3, "How many.", "-c", "--count", at_least=1, at_most=9)
    length: float = option(0.5, "How long.", above=0, below=1)
    share: float = option(0.5, "How much.", at_least=0, at_most=1)
    any_number: float = option(0.0, "Whatever.")
    word: str = option("one", "Which.", choices=("one", "two"))
    good: bool = option(True, "Whether.")
    pairs: tuple[str, ...] = option((), "Some.", text=TextForm("A,B", str.upper, str.lower, many=True))
    size: int | None = option(None, "How large.", at_least=2, why="one is none", shown="as it comes")
    inner: int = option(1, "Of Python.", typed=False)
    newer: str = option("new", "Since the second version.", absent="old")

    def __post_init__(self) -> None:
        check_settings(self)


@click.command()
@click.argument("target")
@settings_options("settings", Example(count=4), without=("newer",))
def command(target: str, settings: Example) -> None:
    click.echo(repr(settings))


def typed(*words):
    return CliRunner().invoke(command, ["x", *words], catch_exceptions=True)


def test_a_command_gets_what_was_typed_over_its_defaults():
    assert typed().output.strip() == repr(Example(count=4))
    found = typed("-c", "7", "--no-good", "--word", "two", "--pairs", "ab", "--pairs", "c", "--size", "2")
    assert found.output.strip() == repr(Example(7, word="two", good=False, pairs=("AB", "C"), size=2))


@pytest.mark.parametrize(
    "words",
    [
        ("-c", "0"),
        ("-c", "10"),
        ("--length", "0"),
        ("--length", "1"),
        ("--share", "1.5"),
        ("--any-number", "nan"),
        ("--any-number", "inf"),
        ("--word", "three"),
        ("--size", "1"),
        ("--inner", "2"),
        ("--newer", "x"),
    ],
)
def test_a_command_refuses_what_cannot_be(words):
    assert typed(*words).exit_code == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count must be at least 1 and at most 9, not 0"),
        ({"length": 1.0}, "length must be above 0 and below 1, not 1"),
        ({"share": -0.1}, "share must be a share from 0 to 1, not -0.1"),
        ({"any_number": float("nan")}, "any-number must be a finite number, not nan"),
        ({"word": "three"}, "unknown word 'three': choose one or two"),
        ({"size": 1}, "size must be at least 2, not 1: one is none"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(change, message):
    with pytest.raises(GanwalkError) as caught:
        Example(**change)
    assert str(caught.value) == message


def test_help_names_defaults_and_bounds():
    text = " ".join(typed("--help").output.split())
    for words in ("How many. [default: 4]", "[default: as it comes]", "--good / --no-good", "[one|two]", "1<=x<=9"):
        assert words in text
    assert "--inner" not in text and "x<=None" not in text


def test_a_file_that_lacks_a_field_means_what_its_absence_meant():
    assert completed(Example, {"count": 5}) == {**vars(Example(5)), "newer": "old"}
    assert completed(TopDisSettings, {}) == vars(TopDisSettings())


def test_the_words_of_settings_make_them_again():
    base = Example(count=4)
    wanted = replace(base, length=0.25, good=False, pairs=("AB", "C"), size=3)
    words = command_words(wanted, base)
    assert words == ["--length", "0.25", "--no-good", "--pairs", "ab", "--pairs", "c", "--size", "3"]
    assert typed(*words).output.strip() == repr(wanted)
    assert command_words(base, base) == []
    assert command_words(replace(base, inner=2), base) is None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_setting_says_what_it_is(kind):
    """A field has a sentence; its default is within its bounds; what is no number, word or truth has a form."""
    about, hints = options_of(kind), get_type_hints(kind)
    assert kind() == kind(**{name: getattr(kind(), name) for name in about})
    assert {entry.name for entry in fields(kind)} - set(about) <= {"options", "topdis", "unknown"}
    for name, one in about.items():
        assert (one.help.endswith(".") and one.help[0].isupper()) or one.help.startswith("rtd")
        assert one.text is not None or scalar_type(hints[name]) in (int, float, bool, str)
        assert one.text is None or one.text.metavar
        assert not one.choices or getattr(kind(), name) in (None, *one.choices)


def test_command_lines_know_their_options_without_torch():
    for start in ("ganwalk.commands", "vae.train", "vae.evaluate", "vae.score"):
        code = f"import sys, {start}; print([m for m in ('torch', 'numba', 'scipy', 'matplotlib') if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]", start


def test_the_docs_have_the_options_as_they_are():
    text = DOCS.read_text(encoding="utf-8")
    for kind, spelled in [(kind, "topdis-" if kind is TopDisSettings else "") for kind in KINDS]:
        assert options_table(kind, spelled) in text, f"{kind.__name__}: make docs"


def test_a_checkpoint_of_version_0_1_0_is_taken_up(blobs, tmp_path):
    """It knows nothing of options that came later, and ends near a run of today, which starts from other latents."""
    settings = DiscoverySettings(n_directions=3, steps=6, batch=8, directions_per_step=2, evaluate_every=3, seed=1)
    saved = torch.load(OLD / "checkpoint.pt", weights_only=True)
    assert not set(options_of(DiscoverySettings)) <= set(json.loads(saved["fingerprint"]))
    (tmp_path / "checkpoint.pt").write_bytes((OLD / "checkpoint.pt").read_bytes())
    steps = []
    resumed = run_discovery(
        blobs,
        settings,
        threads=1,
        checkpoint=tmp_path / "checkpoint.pt",
        resume=True,
        on_step=lambda progress: steps.append(progress.step),
    )
    assert steps == [4, 5, 6]
    whole = run_discovery(blobs, settings, threads=1)
    assert (resumed.directions.vectors * whole.directions.vectors).sum(dim=1).min() > 0.95
    with pytest.raises(GanwalkError, match="another scale_gradient: resume with its options"):
        run_discovery(
            blobs,
            replace(settings, scale_gradient="constant"),
            checkpoint=tmp_path / "checkpoint.pt",
            resume=True,
        )


def test_directions_of_version_0_1_0_are_reported_with_their_command(blobs):
    directions = Directions.load(OLD / "directions.safetensors")
    assert not set(options_of(DiscoverySettings)) <= set(directions.settings)
    command = discover_command(replace(directions, settings={**directions.settings, "evaluate_every": 50}), blobs)
    assert command == ("ganwalk discover --generator blobs --n-directions 3 --steps 6 --batch 8 --per-step 2 --seed 1")
    # Only Python sets how often it is evaluated.
    assert discover_command(directions, blobs) is None


def test_a_configuration_of_version_0_1_0_is_read():
    assert load_settings(OLD / "vae-config.json", written=True) == TrainingSettings(
        resolution=16, steps=60, batch=8, topdis=TopDisSettings(gamma=1.0)
    )
