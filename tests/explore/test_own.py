"""A photo or latents on the page of the explorer: shown, walked, exported, and found again by the address."""

import io
import re
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.explore.arrivals import MAX_BYTES
from ganwalk.generators.base import sample_z
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import load_generator
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.rendering.images import to_bytes, traverse
from ganwalk.samples import StoredSamples
from tests.explorer import amplitude, complained, pixels, serving, until

pytest.importorskip("nicegui")
expect = pytest.importorskip("playwright.sync_api").expect
DROPPING = """([name, bytes]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name));
  for (const kind of ["dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer }));
}"""
# Slow enough to be stopped, on any machine.
ENDLESS = """
import ganwalk.explore.arrivals as arrivals
from dataclasses import replace
old = arrivals.Projector.settings
arrivals.Projector.settings = lambda *args: replace(old(*args), steps=100_000, candidates=8)
from ganwalk.commands import main
main()
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder with directions of a small generator, and that."""
    folder = tmp_path_factory.mktemp("own")
    torch.manual_seed(0)
    config = StyleGAN2Config(img_resolution=16, z_dim=8, w_dim=12, mapping_layers=2, channel_base=128, channel_max=8)
    write_native(config, dict(StyleGAN2(config).eval().state_dict()), folder / "small.safetensors")
    generator = load_generator(folder / "small.safetensors")
    directions = Directions(torch.eye(12)[:3], torch.ones(3), "w", generator.identity)
    directions.save(folder / "directions.safetensors")
    return folder, generator, directions


@pytest.fixture(scope="module")
def address(small):
    with serving(small[0], "--generator", "small.safetensors") as (address, _):
        yield address


def styles_of(generator, *seeds):
    with torch.no_grad():
        return torch.cat([generator.mapping(sample_z(generator, 1, seed)) for seed in seeds])


def packed(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def photo_of(generator, seed):
    with torch.no_grad():
        picture = Image.fromarray(to_bytes(generator.synthesis(styles_of(generator, seed)))[0])
    buffer = io.BytesIO()
    picture.resize((64, 64)).save(buffer, "PNG")
    return buffer.getvalue()


def give(page, name, data):
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "", "buffer": data})


def shown_latents(page):
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_text("Latents (.npy)").click()
    return np.load(io.BytesIO(download.value.path().read_bytes()), allow_pickle=False)


def truth_of(small, latents, edit=()):
    samples = StoredSamples(latents, "w")
    return traverse(small[1], small[2], edit, [1.0], samples, batch=8)[:, 0]


def test_latents_that_are_dropped_are_shown_walked_and_exported(open_page, small, address):
    page = open_page(address)
    latents = styles_of(small[1], 11, 12)
    page.evaluate(DROPPING, ["my two.npz", list(packed(w=latents.numpy()))])
    expect(page.locator(".pictures figcaption").first).to_have_text("my two 0")
    expect(page.locator(".pictures img")).to_have_count(2)
    expect(page.get_by_label("Seeds")).to_have_attribute("placeholder", "my two 0, my two 1")
    until(lambda: np.array_equal(pixels(page), truth_of(small, latents)[0]))
    # Styles are shown as they are.
    expect(page.get_by_label("Truncation ψ")).to_be_disabled()
    amplitude(page, 1).press("End")
    until(lambda: np.array_equal(pixels(page, number=1), truth_of(small, latents, [Move(1, 5.0)])[1]))
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_text("Picture (PNG)").click()
    both = np.concatenate(truth_of(small, latents, [Move(1, 5.0)]), axis=1)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(download.value.path().read_bytes()))), both)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_text("Path (GIF)").click()
    assert Image.open(io.BytesIO(download.value.path().read_bytes())).n_frames > 20
    # What was saved is shown as it was, once it comes back.
    saved = io.BytesIO()
    np.save(saved, shown_latents(page))
    page.get_by_role("button", name="Reset").click()
    give(page, "edited.npy", saved.getvalue())
    expect(page.locator(".pictures figcaption").first).to_have_text("edited 0")
    until(lambda: np.array_equal(pixels(page), truth_of(small, latents, [Move(1, 5.0)])[0]))


def test_the_address_and_undo_know_samples_that_are_no_seeds(open_page, small, address):
    page = open_page(address)
    latents = styles_of(small[1], 21)
    give(page, "mine.npz", packed(w=latents.numpy()))
    expect(page).to_have_url(re.compile(r"\?latents=[0-9a-f]{16}$"))
    page.reload()
    until(lambda: np.array_equal(pixels(page), truth_of(small, latents)[0]))
    other = open_page(page.url)
    expect(other.locator(".pictures figcaption").first).to_have_text("mine")
    seeds = page.get_by_label("Seeds")
    seeds.fill("5")
    seeds.press("Enter")
    expect(page.locator(".pictures figcaption").first).to_have_text("seed 5")
    expect(page).to_have_url(re.compile(r"\?seeds=5$"))
    page.get_by_role("button", name="Undo (z)").click()
    expect(page.locator(".pictures figcaption").first).to_have_text("mine")
    expect(seeds).to_have_value("")
    # What the server has forgotten, or a stranger made up.
    page = open_page(f"{address}?latents=0123456789abcdef")
    expect(page.get_by_label("Seeds")).to_have_value("1-4")


def test_a_photo_is_projected_while_the_page_is_used(open_page, small, address):
    page = open_page(address)
    give(page, "room.png", photo_of(small[1], 31))
    own = page.locator(".own")
    expect(page.locator(".pictures figcaption").first).to_have_text("room")
    said = own.get_by_role("status")
    expect(said).to_have_text(re.compile(r"^room: RMS error \d+\.\d %$"))
    expect(own.get_by_role("button", name="Stop")).not_to_be_visible()
    assert float(re.search(r"([\d.]+) %$", said.inner_text())[1]) < 5
    latents = torch.from_numpy(shown_latents(page))
    until(lambda: np.array_equal(pixels(page), truth_of(small, latents)[0]))
    # The steps of the search are no steps to undo.
    page.get_by_role("button", name="Undo (z)").click()
    expect(page.get_by_label("Seeds")).to_have_value("1-4")
    expect(page.get_by_role("button", name="Undo (z)")).to_be_disabled()
    page.get_by_role("button", name="Redo (y)").click()
    until(lambda: np.array_equal(pixels(page), truth_of(small, latents)[0]))


def test_a_projection_is_stopped_and_others_are_served_meanwhile(open_page, small, tmp_path, serve):
    with serve(small[0], "--generator", "small.safetensors", program=ENDLESS) as (address, _):
        page, other = open_page(address), open_page(address)
        give(page, "room.png", photo_of(small[1], 31))
        own = page.locator(".own")
        expect(own.get_by_role("progressbar")).to_be_visible()
        expect(own).to_contain_text(re.compile(r"room: \d+ %, RMS error"))
        amplitude(other, 0).press("End")
        expect(other).to_have_url(re.compile("a=0=5"))
        seeds = other.get_by_label("Seeds")
        seeds.fill("8")
        seeds.press("Enter")
        expect(other.locator(".pictures img")).to_have_count(1)
        own.get_by_role("button", name="Stop").click()
        expect(own).to_contain_text("stopped: these are the latents so far")
        expect(own.get_by_role("progressbar")).not_to_be_visible()
        expect(page.locator(".pictures figcaption").first).to_have_text("room")
        expect(page.locator(".strip")).not_to_have_class(re.compile("late"))


def test_what_cannot_be_shown_is_one_line(open_page, small, address):
    page = open_page(address)
    other_size = packed(w=np.zeros((1, 4, 512), np.float32))
    for name, data, words in (
        ("notes.txt", b"hello " * 50, "notes.txt is no picture of a known kind: give a JPEG or PNG file"),
        ("other.npz", other_size, "other.npz holds styles of 4×512 values, but this generator takes"),
        ("bad.npy", b"\x93NUMPY and nothing", "bad.npy is damaged, or no file of latents"),
        ("../../etc/<b>.npz", other_size, "_b_.npz holds styles"),
    ):
        give(page, name, data)
        complained(page, words)
    assert page.evaluate("window.alerts.every((alert) => !alert.includes('/tmp'))")
    page.evaluate(
        f"""() => {{ const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array({MAX_BYTES + 1})], "huge.png"));
        document.body.dispatchEvent(new DragEvent("drop", {{ bubbles: true, dataTransfer: transfer }})); }}"""
    )
    complained(page, "huge.png is larger than 32 MB: give a smaller file")
    expect(page.get_by_label("Seeds")).to_have_value("1-4")


def test_files_are_taken_from_pages_only_and_in_bounds(address):
    def post(path, data=b"x", **headers):
        with pytest.raises(HTTPError) as caught:
            urlopen(Request(f"{address}{path}", data=data, headers=headers, method="POST"))
        return caught.value.code

    assert post("drop/nobody") == 404
    assert post("drop/nobody", Origin="http://elsewhere.example") == 403
    assert post("drop/nobody", bytes(MAX_BYTES + 1)) == 413


def test_latents_are_given_to_the_command(open_page, small, serve):
    folder, generator, _ = small
    latents = styles_of(generator, 41, 42)
    (folder / "given.npz").write_bytes(packed(w=latents.numpy()))
    with serve(folder, "--generator", "small.safetensors", "--latents", "given.npz") as (address, _):
        page = open_page(f"{address}?a=0=2")
        until(lambda: np.array_equal(pixels(page), truth_of(small, latents, [Move(0, 2.0)])[0]))
        assert "latents" not in page.url
        page.get_by_role("button", name="Export").click()
        page.get_by_text("Command").click()
        expect(page.locator(".command")).to_contain_text("--latents given.npz")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Shuffle").click()
        expect(page).to_have_url(re.compile("seeds="))
