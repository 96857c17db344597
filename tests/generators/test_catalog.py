"""The catalog: what is in it, and its names on the command line, with a local server as publisher."""

import contextlib
import json
import shutil
import threading
from pathlib import Path

import pytest

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.files.shipped import shipped_file
from ganwalk.generators import catalog
from ganwalk.generators.loading import NAMES, load_generator
from ganwalk.progress import bars
from tests.weights_server import WeightsServer, cut_after, status

FAST = ["--method", "random", "--batch", "4", "--n-directions", "2", "-q"]


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A publisher of the scenes' weights as rooms64-test, in a catalog that takes the shipped one's place."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("GANWALK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with WeightsServer(shipped_file("scenes.safetensors").read_bytes()) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        path = tmp_path / "catalog.toml"
        path.write_text(TOML.replace("BASE", running.url.removesuffix("net.safetensors")))
        monkeypatch.setattr(catalog, "catalog_file", lambda: path)
        yield running
        running.shutdown()


TOML = """
[[family]]
base = "BASE"
architecture = "stylegan2"
licence = "MIT"
licence_url = "https://example.org/licence"

[family.checkpoints]
rooms64-test = { file = "net.safetensors", resolution = 64 }
halls64-test = { file = "other.safetensors", resolution = 64, sha256 = "00000000" }
"""


def test_the_shipped_catalog():
    entries = catalog.read_catalog()
    assert entries["ffhq1024-ada"].url.endswith("/stylegan2-ada-pytorch/pretrained/ffhq.pkl")
    assert entries["afhqv2-512-stylegan3-r"].url.endswith("/files/stylegan3-r-afhqv2-512x512.pkl")
    assert {entry.architecture for entry in entries.values()} == {
        "stylegan1",
        "stylegan2",
        "stylegan3-t",
        "stylegan3-r",
        "stylegan-xl",
        "pgan",
        "fastgan",
        "r3gan",
        "biggan-deep",
    }
    assert len({entry.url for entry in entries.values()}) == len(entries) and not set(NAMES) & set(entries)
    for name, entry in entries.items():
        assert entry.url.startswith("https://") and entry.licence_url.startswith("https://")
        dataset, _, family = name.partition(f"{entry.resolution}-")
        assert dataset and family, f"{name} is not DATASET RESOLUTION - FAMILY"
        assert not entry.architecture.startswith("stylegan3") or family.startswith(entry.architecture)
        if entry.architecture == "pgan":
            assert entry.url.endswith(f"-{entry.sha256}.pth") and len(entry.sha256) == 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[family]]", "[[", "not a catalog"),
        ("[[family]]", "[[families]]", "not a catalog"),
        ('licence = "MIT"', "", "'licence' is missing"),
        ('licence = "MIT"', "licence = 1", "has 1 where a text should be"),
        ("resolution = 64 }", "resolution = true }", "rooms64-test has the resolution True"),
        ('"00000000"', '"ABCDEFGH"', "halls64-test has the SHA-256 'ABCDEFGH'"),
        ("rooms64-test", "Rooms", "the name 'Rooms' is not of lower-case letters"),
        ('base = "BASE"', 'base = "ftp://x/"', "rooms64-test has no web address"),
        ("rooms64-test = {", "rooms64-test = 3 #", "not a catalog"),
    ],
)
def test_a_wrong_catalog(tmp_path, old, new, message):
    path = tmp_path / "catalog.toml"
    path.write_text(TOML.replace("BASE", "https://example.org/"))
    assert list(catalog.read_catalog(path)) == ["rooms64-test", "halls64-test"]
    path.write_text(TOML.replace(old, new).replace("BASE", "https://example.org/"))
    with pytest.raises(GanwalkError, match=r"catalog\.toml") as caught:
        catalog.read_catalog(path)
    assert message in str(caught.value)


def test_the_cache_folder(monkeypatch, tmp_path):
    entry = catalog.read_catalog()["ffhq1024-ada"]
    monkeypatch.setenv("GANWALK_CACHE", str(tmp_path))
    assert catalog.cached_path(entry) == tmp_path / "ffhq1024-ada.pkl"
    monkeypatch.delenv("GANWALK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in catalog.cached_path(entry).parents


def test_close_names():
    assert catalog.close_names("ffhq")[0].startswith("ffhq")
    assert "ffhq1024-ada" in catalog.close_names("fhq1024-ada")
    assert "afhqv2-512-stylegan3-r" in catalog.close_names("afhqv2-512-stylegan-r")
    assert catalog.close_names("xyzzy") == []


def test_models_lists_them(run, server):
    code, out, err = run("models")
    lines = out.splitlines()
    assert code == 0 and err == "" and lines[-1] == "next: ganwalk discover --generator rooms64-test"
    assert [word in lines[1] for word in ("rooms64-test", "stylegan2", " 64", " - ", "MIT")] == [True] * 5
    run("info", "rooms64-test")
    assert " yes " in run("models")[1].splitlines()[1]
    rows = json.loads(run("models", "--json")[1])
    assert rows[0]["name"] == "rooms64-test" and rows[0]["cached"] and rows[0]["url"] == server.url
    assert Path(rows[0]["path"]).exists() and not rows[1]["cached"]


def test_the_shipped_table_fits_100_columns(run, monkeypatch):
    monkeypatch.setenv("GANWALK_CACHE", "cache")
    lines = run("models")[1].splitlines()
    assert len(lines) == len(catalog.read_catalog()) + 3 and max(map(len, lines)) <= 100
    # Columns stand below their heads, whatever is in them.
    ends = {len(line) for line in lines[:-2]}
    starts = [lines[0].index(head) for head in ("architecture", "kept", "licence")]
    assert len(ends) == 1 and all(line[at - 1] == " " != line[at] for line in lines[:-2] for at in starts)


@pytest.mark.slow
def test_a_name_goes_the_whole_way(run, server, tmp_path):
    server.script = [cut_after(2**20 + 5)]
    code, _, err = run("discover", "--generator", "rooms64-test", *FAST)
    assert code == 0 and err == "" and server.ranges == [None, f"bytes={2**20 + 5}-"]
    identity = Directions.load("ganwalk-out/directions.safetensors").generator
    assert identity.reference == "rooms64-test" and identity.sha256 == load_generator("scenes").identity.sha256
    # On another machine, the directions find their generator by its name.
    shutil.rmtree("cache")
    code, _, err = run("render", "--direction", 0, "--seeds", 1, "--steps", 2, "-q")
    assert code == 0 and err == "" and len(server.requests) == 3
    run("export", "plain.npy")
    assert run("import", "plain.npy", "-g", "rooms64-test")[0] == 0
    assert run("convert", "rooms64-test", "own.safetensors")[0] == 0
    assert load_generator("own.safetensors").resolution == 64
    assert len(server.requests) == 3 and (tmp_path / "cache" / "rooms64-test.safetensors").exists()


def test_a_wrong_download_does_not_keep_the_right_one_out(run, server, tmp_path):
    right, server.data = server.data, server.data[:-1]
    code, _, err = run("info", "rooms64-test")
    place = tmp_path / "cache" / "rooms64-test.safetensors"
    assert code == 2 and f"if its download went wrong: delete {place}, and it is downloaded again" in err
    place.unlink()
    server.data = right
    assert run("info", "rooms64-test")[0] == 0 and len(server.requests) == 2
    assert (tmp_path / "cache" / "rooms64-test.safetensors.sha256").exists()


def test_what_goes_wrong_is_one_line(run, server, tmp_path):
    def refused(*arguments):
        code, _, err = run(*arguments)
        assert code == 2 and len(err.splitlines()) == 1
        return err

    assert "(close: rooms64-test, " in refused("discover", "-g", "room64-test", *FAST)
    assert "a name that ganwalk models lists" in refused("info", "ffhq")
    assert "SHA-256" in refused("info", "halls64-test") and not list((tmp_path / "cache").glob("*.safetensors"))
    server.script = [status(404)]
    place = tmp_path / "cache" / "rooms64-test.safetensors"
    assert f"download it elsewhere and put it at {place}" in refused("info", "rooms64-test")
    shutil.copy(shipped_file("scenes.safetensors"), place)
    server.requests = []
    assert run("info", "rooms64-test")[0] == 0 and server.requests == []


def test_progress_is_shown_on_a_terminal(run, server, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    shown = []

    @contextlib.contextmanager
    def record(total, label):
        shown.append(label)
        yield lambda done, note: None

    monkeypatch.setattr(bars, "_bar", record)
    assert run("info", "rooms64-test")[0] == 0 and shown == ["downloading"]
    assert run("info", "rooms64-test")[0] == 0 and shown == ["downloading"]
