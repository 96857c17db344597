"""What the documents tell people to run can be run: Python as it stands, command lines as their commands parse them."""

import functools
import math
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
import torch

import ganwalk
from ganwalk.commands import group
from vae import evaluate, metrics, score, train

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
MODULES = {"vae.train": train.command, "vae.evaluate": evaluate.command, "vae.score": score.command}
# Blocks of code and what they are written in; what is indented counts as a block of the console.
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
_CONSOLE = ("", "bash", "console", "sh")


def read(name):
    return (ROOT / name).read_text()


def blocks_of_python(text):
    return [block for language, block in _FENCED.findall(text) if language == "python"]


def lines_of_console(text):
    """The lines of blocks that are no program's text; continued lines are joined."""
    fenced = [block for language, block in _FENCED.findall(text) if language in _CONSOLE]
    lines = "\n".join([*fenced, *_INDENTED.findall(_FENCED.sub("", text))]).replace("\\\n", " ").splitlines()
    return [line.strip().removeprefix("$ ") for line in lines]


def command_lines():
    found = []
    for name in DOCUMENTS:
        for line in lines_of_console(read(name)):
            if re.match(r"ganwalk |python cli\.py |.*-m vae\.\w+", line):
                found.append(pytest.param(line, id=f"{name}: {line}"))
    return found


def parse(line):
    """Has the command of a line read its options and arguments; click's error if it refuses them."""
    words = shlex.split(line, comments=True)
    if words[:2] == ["python", "cli.py"]:
        words = ["ganwalk", *words[2:]]
    if words[0] == "ganwalk":
        context = click.Context(group, info_name="ganwalk")
        _, command, rest = group.resolve_command(context, words[1:])
    else:
        module = words.index("-m") + 1
        command, rest = MODULES[words[module]], words[module + 1 :]
    return command.make_context(command.name, rest)


@pytest.fixture
def names():
    """What the blocks leave to the reader: batches, a model of one's own, codes and factors."""
    rng = np.random.default_rng(0)
    batch, shifted = torch.rand(2, 12, 5, generator=torch.Generator().manual_seed(0))
    factors = rng.integers(0, 3, size=(400, 2))
    codes = factors + 0.1 * rng.normal(size=factors.shape)
    return {
        "batch": batch,
        "shifted_batch": shifted.requires_grad_(),
        "images": torch.rand(12, 16),
        "sample_of_your_encoder": torch.nn.Linear(16, 2),
        "your_decoder": torch.nn.Linear(2, 16),
        "reconstruction": torch.tensor(1.0),
        "kl": torch.tensor(1.0),
        "codes": codes,
        "factors": factors,
        **{f"{part}_codes": codes[half] for part, half in (("train", slice(200)), ("test", slice(200, 400)))},
        **{f"{part}_factors": factors[half] for part, half in (("train", slice(200)), ("test", slice(200, 400)))},
    }


@pytest.fixture
def short(monkeypatch, quick_student):
    """The text of a block is run as it stands, but what takes long there takes less of it."""
    monkeypatch.setitem(vars(ganwalk), "discover", functools.partial(ganwalk.discover, steps=2, batch=8, images=256))
    monkeypatch.setattr(metrics, "score_codes", functools.partial(metrics.score_codes, level="quick"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "block"), [(name, block) for name in DOCUMENTS for block in blocks_of_python(read(name))]
)
def test_blocks_of_python_run(document, block, names, short, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = set(names)
    exec(compile(block, document, "exec"), names)
    for loss in (names[name] for name in set(names) - given):
        if torch.is_tensor(loss) and loss.ndim == 0:
            loss.backward()
            assert math.isfinite(loss.item())
    if "directions.safetensors" in block:
        assert len(ganwalk.Directions.load("directions.safetensors").vectors) == 10


def test_what_contributing_names_is_there():
    text = read("CONTRIBUTING.md")
    files = [path for package in ("ganwalk", "vae", "tests") for path in (ROOT / package).rglob("*.py")]
    named = set(re.findall(r"`((?:\w+/)*\w+\.py)`", text))
    assert [name for name in named if not any(path.as_posix().endswith(f"/{name}") for path in files)] == []
    defined = re.findall(r"^(_?[A-Z][A-Z_]+)\b[^=\n]*=", "\n".join(path.read_text() for path in files), re.MULTILINE)
    constants = set(re.findall(r"`(_?[A-Z][A-Z_]{3,})`", text))
    assert len(named) > 10 and len(constants) > 5 and constants <= set(defined)


def test_the_readme_has_such_blocks():
    assert len(blocks_of_python(read("README.md"))) >= 3
    assert sum(line.startswith("ganwalk ") for line in lines_of_console(read("README.md"))) >= 10


@pytest.mark.parametrize("line", command_lines())
def test_command_lines_are_understood(line):
    parse(line)


@pytest.mark.parametrize(
    "line", ["ganwalk discover -g scenes --step 3", "ganwalk draw", "torchrun -m vae.train --beta x", "ganwalk info"]
)
def test_wrong_command_lines_are_not(line):
    with pytest.raises(click.UsageError):
        parse(line)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_targets_of_make_and_linked_files_are_there(name):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = read(name)
    code = [*lines_of_console(text), *re.findall(r"`([^`\n]+)`", text)]
    assert {match[1] for line in code if (match := re.match(r"make ([a-z-]+)", line))} <= targets
    named = re.findall(r"`((?:benchmarks|ganwalk|tests|tools|vae)/[\w/.]+)`", text)
    links = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []
