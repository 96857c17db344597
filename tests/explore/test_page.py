"""The explorer in Chromium: what people touch changes what they see, and what they name stays."""

import base64
import io
import json
import re
import signal
import time
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.directions.labels import Label
from ganwalk.directions.reach import Reach
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.evaluation.meanings import OF_DIRECTIONS
from ganwalk.evaluation.outputs import write_outputs
from ganwalk.evaluation.run import evaluate
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import load_generator
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from tests.browser import PATIENCE, Wire
from tests.explorer import amplitude, complained, pixels, serving, truth, until

pytest.importorskip("nicegui")
expect = pytest.importorskip("playwright.sync_api").expect
GOLDEN = Path(__file__).parents[1] / "golden"
# Nothing moves, or is about to.
STILL = """() => !document.querySelector("[class*=-enter-active], [class*=-leave-active]") &&
  document.getAnimations().every((animation) => animation.playState === "finished")"""
PURITY = OF_DIRECTIONS["purity"].meaning
HOSTILE = "<img src=x onerror=window.broken=1>"


@pytest.fixture(scope="module")
def scenes():
    return load_generator("scenes")


@pytest.fixture(scope="module")
def found(scenes):
    """Four principal components, with their scores."""
    directions = run_discovery(
        scenes, DiscoverySettings(n_directions=4, method="pca", batch=8, equalize=False)
    ).directions
    return directions, evaluate(scenes, directions, samples=8, reconstructor=False, threads=1)


@pytest.fixture(scope="module")
def served(found, tmp_path_factory):
    """The address of a comparison with random directions, the file, and its folder."""
    folder = tmp_path_factory.mktemp("explore")
    directions, evaluation = found
    write_outputs(evaluation, folder)
    path = folder / "directions.safetensors"
    directions.save(path)
    with serving(folder, "--against", "random") as (address, _):
        yield address, path


def test_a_page_shows_the_samples_themselves(open_page, served, scenes, found):
    page = open_page(served[0])
    for side in (0, 1):
        for number, seed in enumerate((1, 2, 3, 4)):
            np.testing.assert_array_equal(pixels(page, side, number), truth(scenes, found[0], [], seed))
    expect(page.get_by_role("heading", name="4 directions of A")).to_be_visible()
    strip = page.locator(".strip img")
    expect(strip.first).to_have_attribute("src", re.compile("^data:"))
    uri = strip.first.get_attribute("src")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
    np.testing.assert_array_equal(shown, truth(scenes, found[0], [Move(0, -3.0)], 1))
    heat = page.locator(".strip .where img")
    expect(heat).to_have_attribute("alt", re.compile("^Heat map: the direction changes (most|everywhere)"))
    expect(heat).to_have_attribute("src", re.compile("^data:image/png"))


def test_dragging_a_slider_changes_the_picture_before_and_after_it_is_let_go(open_page, served, scenes, found):
    page = open_page(served[0])
    before = pixels(page)
    slider = amplitude(page, 1)
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], middle, steps=5)
    until(lambda: np.abs(pixels(page).astype(int) - before).mean() > 1)
    assert "a=" not in page.url
    page.mouse.move(box["x"] + 0.8 * box["width"], middle, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile("a=1="))
    walked = float(slider.input_value())
    assert walked == float(re.search(r"a=1=([\d.]+)", page.url)[1]) > 2
    until(lambda: np.array_equal(pixels(page), truth(scenes, found[0], [Move(1, walked)], 1)))
    np.testing.assert_array_equal(pixels(page, 1), before)


def test_layers_limit_a_walk(open_page, served, scenes, found):
    page = open_page(f"{served[0]}?a=0=2")
    last = page.get_by_label("Last layer of direction 0", exact=True)
    for _ in range(5):
        last.press("ArrowLeft")
    expect(page).to_have_url(re.compile("a=0=2@0-4"))
    until(lambda: np.array_equal(pixels(page), truth(scenes, found[0], [Move(0, 2.0, (0, 4))], 1)))
    last.press("End")
    expect(page).not_to_have_url(re.compile("@"))


def test_a_set_of_layers_is_shown_and_walked(open_page, served, scenes, found):
    page = open_page(f"{served[0]}?a=0=2@0-1%2B4")
    group = page.get_by_role("group", name="Layers of direction 0", exact=True)
    expect(group).to_contain_text("layers 0-1, 4")
    until(lambda: np.array_equal(pixels(page), truth(scenes, found[0], [Move(0, 2.0, ((0, 1), (4, 4)))], 1)))
    page.get_by_label("Last layer of direction 0", exact=True).press("ArrowLeft")
    expect(group).to_contain_text("layers 0–3")
    expect(page).to_have_url(re.compile("a=0=2@0-3"))


def test_samples_are_chosen_truncated_and_shuffled(open_page, served, scenes, found):
    page = open_page(served[0])
    seeds = page.get_by_label("Seeds")
    seeds.fill("8,9")
    seeds.press("Enter")
    expect(page.locator(".pictures").first.locator("img")).to_have_count(2)
    until(lambda: np.array_equal(pixels(page), truth(scenes, found[0], [], 8)))
    psi = page.get_by_label("Truncation ψ")
    psi.fill("0.5")
    psi.press("Enter")
    until(lambda: np.array_equal(pixels(page), truth(scenes, found[0], [], 8, truncation_psi=0.5)))
    expect(page).to_have_url(re.compile("seeds=8,9&psi=0.5"))
    cutoff = page.get_by_label("First ψ layers")
    cutoff.fill("2")
    cutoff.press("Enter")
    options = {"truncation_psi": 0.5, "truncation_cutoff": 2}
    until(lambda: np.array_equal(pixels(page), truth(scenes, found[0], [], 8, **options)))
    expect(page).to_have_url(re.compile("seeds=8,9&psi=0.5&cutoff=2"))
    cutoff.fill("")
    cutoff.press("Enter")
    expect(page).not_to_have_url(re.compile("cutoff"))
    psi.fill("7")
    psi.press("Enter")
    expect(psi).to_have_value("0.5")
    for wrong in ("eight", "1-99"):
        seeds.fill(wrong)
        seeds.press("Enter")
        complained(page, "eight" if wrong == "eight" else "at most 12")
        expect(seeds).to_have_value("8-9")
    page.get_by_role("button", name="Shuffle").click()
    expect(seeds).not_to_have_value("8-9")
    expect(page.locator(".pictures").first.locator("img")).to_have_count(2)


def test_a_name_is_kept_in_the_file_and_survives_a_reload(open_page, served):
    address, path = served
    page = open_page(address)
    amplitude(page, 2).click()
    expect(page.get_by_role("heading", name="Direction 2", exact=True)).to_be_visible()
    page.get_by_label("Name").fill("smile")
    page.get_by_label("Name").press("Enter")
    page.get_by_label("Note").fill("from 2 σ on")
    page.get_by_label("Note").press("Tab")
    expect(page.get_by_role("button", name="2 · smile", exact=True)).to_be_visible()
    until(lambda: Directions.load(path).labels[2].note == "from 2 σ on")
    assert Directions.load(path).find("smile") == 2
    page.reload()
    expect(page.get_by_role("button", name="2 · smile", exact=True)).to_be_visible()
    expect(page.get_by_label("Note")).to_have_value("from 2 σ on")
    # Another direction cannot have the name: the page says so, and shows what is.
    amplitude(page, 3).click()
    expect(page.get_by_role("heading", name="Direction 3", exact=True)).to_be_visible()
    page.get_by_label("Name").fill("Smile")
    page.get_by_label("Name").press("Enter")
    complained(page, "direction 2 is called 'smile' already")
    expect(page.get_by_label("Name")).to_have_value("")
    assert Directions.load(path).labels[3].name == ""


def test_what_was_typed_is_kept_when_another_direction_is_clicked(open_page, served):
    address, path = served
    page = open_page(f"{address}?direction=1")
    page.keyboard.press("n")
    page.keyboard.type("in a hurry")
    page.get_by_role("button", name="0", exact=True).click()
    expect(page.get_by_role("button", name="1 · in a hurry", exact=True)).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("")
    assert [label.name for label in Directions.load(path).labels[:2]] == ["", "in a hurry"]
    page.get_by_role("button", name="1 · in a hurry", exact=True).click()
    expect(page.get_by_label("Name")).to_have_value("in a hurry")
    page.get_by_label("Name").fill("")
    page.get_by_label("Name").press("Enter")
    expect(page.get_by_role("button", name="1", exact=True)).to_be_visible()


def test_what_is_typed_before_the_page_is_connected_is_not_lost(new_page, served):
    page = new_page()
    wire = Wire(page, held="page")
    page.goto(served[0])
    seeds = page.get_by_label("Seeds")
    seeds.fill("8,9")
    seeds.press("Enter")
    wire.release()
    expect(page.locator(".pictures").first.locator("img")).to_have_count(2)
    expect(seeds).to_have_value("8-9")
    page.get_by_role("button", name="Undo (z)").click()
    expect(seeds).to_have_value("1-4")


@pytest.mark.parametrize("lost", ["what was typed", "its acknowledgement"])
def test_what_was_typed_survives_a_broken_connection(new_page, served, lost):
    page = new_page()
    wire = Wire(page)
    page.goto(served[0])
    expect(page.locator("[data-state=full]")).to_be_visible()
    seeds = page.get_by_label("Seeds")
    seeds.fill("8,9")
    wire.held, words = ("server", "8,9") if lost == "what was typed" else ("page", "8-9")
    seeds.press("Enter")
    wire.wait(words)
    wire.cut()
    expect(page.locator(".pictures").first.locator("img")).to_have_count(2)
    expect(seeds).to_have_value("8-9")
    expect(seeds).to_have_attribute("aria-busy", "false")


def test_what_comes_twice_is_done_once(new_page, served):
    page = new_page()
    wire = Wire(page)
    page.goto(served[0])
    expect(page.locator("[data-state=full]")).to_be_visible()
    seeds = page.get_by_label("Seeds")
    seeds.fill("8,9")
    seeds.press("Enter")
    expect(seeds).to_have_value("8-9")
    page.get_by_role("button", name="Undo (z)").click()
    expect(seeds).to_have_value("1-4")
    wire.repeat("8,9")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="Direction 1", exact=True)).to_be_visible()
    expect(seeds).to_have_value("1-4")


def test_what_is_being_typed_stays_while_the_server_says_something(open_page, served):
    first, second = open_page(served[0]), open_page(served[0])
    seeds, name = first.get_by_label("Seeds"), second.get_by_label("Name")
    seeds.fill("8,9")
    name.fill("meanwhile")
    name.press("Enter")
    expect(first.get_by_role("button", name="0 · meanwhile", exact=True)).to_be_visible()
    expect(seeds).to_have_value("8,9")
    seeds.press("Enter")
    expect(first.locator(".pictures").first.locator("img")).to_have_count(2)
    name.fill("")
    name.press("Enter")
    expect(first.get_by_role("button", name="0", exact=True)).to_be_visible()


def test_late_answers_do_not_take_a_slider_back(new_page, served):
    """The second key is pressed before the answer to the first one has come, the third one after."""
    page = new_page()
    wire = Wire(page)
    page.goto(f"{served[0]}?a=0=2")
    expect(page.locator("[data-state=full]")).to_be_visible()
    last = page.get_by_label("Last layer of direction 0", exact=True)
    top = int(last.get_attribute("max"))
    for control, key, said, ends in (
        (last, "ArrowLeft", [f'"final":{top - 1}', f'"final":{top - 2}'], [f"@0-{top - 1}", f"@0-{top - 3}"]),
        (amplitude(page, 1), "ArrowRight", ['"value":0.1', '"value":0.2'], ["1=0.1", "1=0.3"]),
    ):
        wire.held = "page"
        for words in said:
            control.press(key)
            wire.wait(words)
        wire.release(before=said[1])
        expect(page).to_have_url(re.compile(ends[0]))
        control.press(key)
        wire.release()
        expect(page).to_have_url(re.compile(ends[1]))


def test_hostile_names_are_text(open_page, served):
    address, path = served
    directions = Directions.load(path)
    page = open_page(f"{address}?direction=3")
    page.get_by_label("Name").fill(HOSTILE)
    page.get_by_label("Name").press("Enter")
    page.get_by_label("Note").fill(f'"><script>window.broken=1</script>{HOSTILE}')
    page.get_by_label("Note").press("Enter")
    until(lambda: Directions.load(path).labels[3].note)
    page.reload()
    expect(page.get_by_role("button", name=f"3 · {HOSTILE}", exact=True)).to_be_visible()
    page.get_by_role("button", name="Star direction 3").hover()
    expect(page.get_by_role("tooltip")).to_contain_text(HOSTILE)
    page.get_by_label("Amplitude of direction 3").press("End")
    page.get_by_role("button", name="Export").click()
    page.get_by_text("Command").click()
    expect(page.locator(".command")).to_contain_text(HOSTILE)
    assert page.evaluate("window.broken") is None
    assert page.locator("img[src=x]").count() == 0
    directions.save(path)


def test_a_hostile_file_is_text_from_its_title_to_its_scores(open_page, tmp_path, serve):
    code = "</title></style><script>window.broken=1</script><img src=x onerror=window.broken=1>{{7*7}}"
    blobs = load_generator("blobs")
    identity = replace(blobs.identity, reference=f"{code}/{code}")
    directions = Directions(
        torch.eye(6),
        torch.ones(6),
        "z",
        identity,
        method=f"imported{code}",
        labels=(Label(code[:60]), *[Label(note=code)] * 5),
    )
    directions.save(tmp_path / "directions.safetensors")
    facts = evaluate(blobs, directions, samples=4, reconstructor=False, threads=1).to_json()
    facts["directions"][0]["factor"] = code
    facts["effects"]["names"] = [code] * len(facts["effects"]["names"])
    (tmp_path / "evaluation.json").write_text(json.dumps(facts))
    with serve(tmp_path, "--generator", "blobs", "--against", "directions.safetensors") as (address, _):
        page = open_page(address)
        expect(page.locator(".panel")).to_contain_text(code[:20])
        expect(page.get_by_role("table", name="Effects on factors")).to_contain_text(code[:20])
        assert code[:20] in page.title() and code[:20] in page.locator(".gallery").inner_text()
        assert page.evaluate("window.broken") is None and page.locator("img[src=x]").count() == 0


def test_links_of_strangers_do_no_harm(open_page, served):
    page = open_page(f"{served[0]}?seeds=<b>&psi=nan&a=%3Cscript%3E=1,9=1,0=1e99&direction=77&side=c&class=-1")
    expect(page.get_by_label("Seeds")).to_have_value("1-4")
    expect(amplitude(page, 0)).to_have_value("5")


@pytest.mark.parametrize("kind", ["Picture (PNG)", "Path (GIF)", "Path (MP4)", "Latents (.npy)"])
def test_an_edit_is_exported(open_page, served, scenes, found, kind):
    page = open_page(f"{served[0]}?seeds=1,2&a=0=2,1=-1@0-4")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_text(kind).click()
    data = download.value.path().read_bytes()
    suffix = {"P": ".png", "L": ".npy"}
    edit = [Move(0, 2.0), Move(1, -1.0, (0, 4))]
    both = [truth(scenes, found[0], edit, seed) for seed in (1, 2)]
    if kind == "Picture (PNG)":
        picture = Image.open(io.BytesIO(data))
        np.testing.assert_array_equal(np.asarray(picture), np.concatenate(both, axis=1))
        assert "--combine" in picture.text["ganwalk"]
        assert download.value.suggested_filename.endswith(suffix["P"])
    elif kind == "Path (GIF)":
        animation = Image.open(io.BytesIO(data))
        assert animation.n_frames > 20
    elif kind == "Path (MP4)":
        assert data[4:8] == b"ftyp"
    else:
        latents = torch.from_numpy(np.load(io.BytesIO(data), allow_pickle=False))
        with torch.no_grad():
            images = scenes.synthesis(latents)
        shown = (images * 127.5 + 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        assert np.abs(shown.astype(int) - np.stack(both)).max() <= 1


def test_nothing_walked_is_no_path(open_page, served):
    page = open_page(served[0])
    page.keyboard.press("e")
    page.get_by_text("Path (GIF)").click()
    complained(page, "move a slider first")


def test_two_sides_are_walked_apart(open_page, served, scenes):
    page = open_page(served[0])
    before = pixels(page)
    page.keyboard.press("b")
    expect(page.get_by_role("heading", name="4 directions of B")).to_be_visible()
    amplitude(page, 0).press("End")
    until(lambda: not np.array_equal(pixels(page, 1), before))
    np.testing.assert_array_equal(pixels(page), before)
    expect(page).to_have_url(re.compile(r"b=0=5.*side=b"))
    expect(page.locator(".closest")).to_contain_text("Closest in A")
    expect(page.locator(".place")).to_contain_text("in no file")
    page.get_by_role("button", name="A", exact=True).click()
    expect(page.get_by_role("heading", name="4 directions of A")).to_be_visible()
    expect(amplitude(page, 0)).to_have_value("0")


def test_undo_and_redo(open_page, served):
    page = open_page(served[0])
    undo, redo = (page.get_by_role("button", name=name) for name in ("Undo (z)", "Redo (y)"))
    expect(undo).to_be_disabled()
    amplitude(page, 0).press("End")
    expect(page).to_have_url(re.compile("a=0=5"))
    page.get_by_role("button", name="Reset").click()
    expect(amplitude(page, 0)).to_have_value("0")
    undo.click()
    expect(amplitude(page, 0)).to_have_value("5")
    expect(page).to_have_url(re.compile("a=0=5"))
    page.keyboard.press("Control+z")
    expect(amplitude(page, 0)).to_have_value("0")
    expect(undo).to_be_disabled()
    redo.click()
    expect(amplitude(page, 0)).to_have_value("5")
    page.keyboard.press("y")
    expect(amplitude(page, 0)).to_have_value("0")
    expect(redo).to_be_disabled()


def test_keys_do_what_the_list_of_shortcuts_says(open_page, served):
    address, path = served
    page = open_page(address)
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="Direction 1", exact=True)).to_be_visible()
    page.keyboard.press(".")
    page.keyboard.press(".")
    expect(amplitude(page, 1)).to_have_value("1")
    page.keyboard.press(",")
    expect(amplitude(page, 1)).to_have_value("0.5")
    page.keyboard.press("s")
    until(lambda: Directions.load(path).labels[1].starred)
    page.keyboard.press("h")
    until(lambda: Directions.load(path).labels[1].hidden)
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="1", exact=True)).to_have_count(0)
    page.get_by_role("checkbox", name="hidden (1)").click()
    page.get_by_role("button", name="Show direction 1").click()
    until(lambda: not Directions.load(path).labels[1].hidden)
    expect(page.get_by_role("heading", name="Direction 1", exact=True)).to_be_visible()
    page.keyboard.press("0")
    expect(amplitude(page, 1)).to_have_value("0")
    page.keyboard.press("n")
    page.keyboard.type("shy")
    expect(page.get_by_label("Name")).to_have_value("shy")
    assert Directions.load(path).labels[1] == Label(starred=True)
    page.keyboard.press("Escape")
    page.get_by_label("Name").fill("")
    page.get_by_label("Name").press("Enter")
    page.get_by_role("button", name="No star for direction 1").click()
    until(lambda: not Directions.load(path).labels[1].starred)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("other samples")


def test_keys_that_mean_something_where_the_focus_is_keep_their_meaning(open_page, served):
    page = open_page(served[0])
    amplitude(page, 0).focus()
    page.keyboard.press("ArrowUp")
    expect(page).to_have_url(re.compile("a=0=0.1"))
    expect(page.get_by_role("heading", name="Direction 0", exact=True)).to_be_visible()
    page.keyboard.press(".")
    expect(amplitude(page, 0)).to_have_value("0.6")
    page.keyboard.press("e")
    expect(page.get_by_role("menu")).to_be_focused()
    for key, item in (("ArrowDown", "Picture (PNG)"), ("ArrowUp", "Command"), ("ArrowDown", "Picture (PNG)")):
        page.keyboard.press(key)
        expect(page.get_by_role("menuitem", name=item)).to_be_focused()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "edit.png"
    expect(page.get_by_role("menu")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(amplitude(page, 0)).to_have_value("0.6")


def test_two_tabs_have_states_of_their_own_and_names_in_common(open_page, served, scenes, found):
    first, second = open_page(served[0]), open_page(served[0])
    amplitude(first, 0).press("End")
    amplitude(second, 0).press("Home")
    until(lambda: np.array_equal(pixels(first), truth(scenes, found[0], [Move(0, 5.0)], 1)))
    until(lambda: np.array_equal(pixels(second), truth(scenes, found[0], [Move(0, -5.0)], 1)))
    first.get_by_label("Name").fill("common")
    first.get_by_label("Name").press("Enter")
    expect(second.get_by_role("button", name="0 · common", exact=True)).to_be_visible()
    expect(amplitude(second, 0)).to_have_value("-5")
    second.get_by_label("Name").fill("")
    second.get_by_label("Name").press("Enter")
    expect(first.get_by_role("button", name="0", exact=True)).to_be_visible()


def test_scores_barcode_and_effects_are_shown(open_page, served, found):
    page = open_page(f"{served[0]}?direction=1")
    row = found[1].to_json()["directions"][1]
    panel = page.locator(".panel")
    expect(panel).to_contain_text(f"{row['rtd']:.3f}")
    of_row = page.locator(".row-of-direction").nth(1)
    expect(of_row).to_contain_text(f"{row['factor']} {row['effect']:.2f}, {100 * row['purity']:.0f} %")
    expect(panel.locator("dt", has_text="purity").first.locator(".term")).to_have_attribute("title", PURITY)
    panel.get_by_text("What these scores say").click()
    expect(panel.locator(".legend")).to_contain_text(PURITY)
    expect(panel.get_by_role("img", name="Barcode of direction 1")).to_be_visible()
    expect(panel.get_by_role("table", name="Effects on factors")).to_contain_text("wall_hue")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_can_be_used_by_everybody(open_page, served, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(f"{served[0]}?a=1=2", color_scheme=scheme, viewport={"width": width, "height": 800})
    expect(page.locator(".walk img").first).to_be_visible()
    faults = []

    def look(state, **options):
        page.wait_for_function(STILL)
        for fault in axe.run(page, options={"rules": options}).response["violations"]:
            faults.extend((state, fault["id"], node["html"], node["failureSummary"]) for node in fault["nodes"])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    look("as it is")
    page.get_by_text("What these scores say").click()
    look("with the legend")
    # Quasar puts menus and warnings beside the landmarks.
    page.keyboard.press("e")
    expect(page.get_by_role("menu")).to_be_focused()
    look("menu", region={"enabled": False})
    page.keyboard.press("Escape")
    page.get_by_label("Seeds").fill("eight")
    page.get_by_label("Seeds").press("Enter")
    expect(page.get_by_role("button", name="OK")).to_be_visible()
    look("warning", region={"enabled": False})
    # Axe cannot tell what is below a warning.
    colours = (
        "button => [getComputedStyle(button).color, getComputedStyle(button.closest('[role=alert]')).backgroundColor]"
    )
    assert page.get_by_role("button", name="OK").evaluate(colours) == ["rgb(255, 255, 255)", "rgb(193, 0, 21)"]
    page.get_by_role("button", name="OK").click()
    page.keyboard.press("?")
    for name in ("Shortcuts", "Open", "Command"):
        if name == "Open":
            page.keyboard.press("o")
        if name == "Command":
            page.get_by_role("button", name="Export").click()
            page.get_by_role("menuitem", name=name).click()
        expect(page.get_by_role("dialog", name=name)).to_be_visible()
        look(name)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).not_to_be_visible()
    assert faults == []


def test_rows_in_view_have_small_pictures_of_what_they_do(open_page, scenes, tmp_path, serve):
    directions = Directions(torch.eye(scenes.w_dim)[:30], torch.ones(30), "w", scenes.identity)
    directions.save(tmp_path / "directions.safetensors")
    with serve(tmp_path) as (address, _):
        page = open_page(f"{address}?a=0=2", viewport={"width": 1280, "height": 700})
        # At the end of the picture is the end of the walk, from the sample as it is: other edits do not count.
        first = page.locator(".walk img").first
        expect(first).to_have_attribute("alt", "Seed 1 along direction 0, from −3 σ to +3 σ")
        until(lambda: page.locator(".walk img").count() >= 3)

        def shown(number):
            uri = page.locator(".row-of-direction").nth(number).locator(".walk img").get_attribute("src")
            return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))).astype(int)

        for cell, amplitude in ((0, -3.0), (4, 3.0)):
            expected = truth(scenes, directions, [Move(0, amplitude)], 1)
            assert np.abs(shown(0)[:, 64 * cell : 64 * (cell + 1)] - expected).mean() < 6
        page.wait_for_timeout(500)
        last = page.locator(".row-of-direction").nth(29)
        assert last.locator("img").count() == 0
        last.scroll_into_view_if_needed()
        expect(last.locator(".walk img")).to_be_visible()
        before = shown(29)
        page.get_by_label("Seeds").fill("9")
        page.get_by_label("Seeds").press("Enter")
        expect(last.locator("img")).to_have_attribute("alt", re.compile("^Seed 9 "))
        assert np.abs(shown(29) - before).mean() > 5


def test_amplitudes_can_be_typed(open_page, served, scenes, found):
    page = open_page(served[0])
    typed = page.get_by_label("Number of σ along direction 1")
    for words, value, url in (("1.25", "1.25", "a=1=1.25"), ("99", "5", "a=1=5"), ("-0.5", "-0.5", "a=1=-0.5")):
        typed.fill(words)
        typed.press("Enter")
        expect(page).to_have_url(re.compile(rf"{url}&"))
        expect(typed).to_have_value(value)
    until(lambda: np.array_equal(pixels(page), truth(scenes, found[0], [Move(1, -0.5)], 1)))
    expect(page.get_by_role("heading", name="Direction 1", exact=True)).to_be_visible()
    typed.fill("")
    typed.press("Tab")
    expect(typed).to_have_value("-0.5")


def test_on_a_phone_the_pictures_stay_while_a_slider_moves(open_page, served):
    page = open_page(served[0], viewport={"width": 360, "height": 740})
    slider = amplitude(page, 3)
    slider.focus()
    page.mouse.wheel(0, 250)
    until(lambda: page.evaluate("scrollY") > 200)
    picture, control = page.locator(".pictures img").first.bounding_box(), slider.bounding_box()
    assert picture["y"] >= 0 and picture["y"] + picture["height"] < control["y"] < 740
    before = pixels(page)
    slider.press("End")
    until(lambda: np.abs(pixels(page).astype(int) - before).mean() > 1)
    assert page.locator(".pictures img").first.bounding_box() == picture


def test_wide_screens_use_their_width_and_show_all_pictures(open_page, served):
    for width, height in ((1280, 800), (1920, 1000)):
        page = open_page(served[0], viewport={"width": width, "height": height})
        strip = page.locator(".strip").bounding_box()
        assert strip["y"] + strip["height"] <= height
        panel = page.locator(".panel").bounding_box()
        assert width - 40 < panel["x"] + panel["width"] <= width
        assert amplitude(page, 0).bounding_box()["width"] > 0.12 * width


def test_the_eye_shows_whether_a_direction_is_hidden(open_page, served):
    address, path = served
    page = open_page(address)
    hide = page.get_by_role("button", name="Hide direction 3")
    expect(hide.locator("i")).to_have_text("visibility")
    hide.click()
    until(lambda: Directions.load(path).labels[3].hidden)
    page.get_by_role("checkbox", name="hidden (1)").click()
    show = page.get_by_role("button", name="Show direction 3")
    expect(show.locator("i")).to_have_text("visibility_off")
    show.click()
    until(lambda: not Directions.load(path).labels[3].hidden)


@pytest.fixture
def blobs_folder(tmp_path):
    """Directions in z without scores, one of them with a name."""
    generator = load_generator("blobs")
    labels = (Label("height"), *[Label()] * 5)
    directions = Directions(
        generator.rotation.clone(), torch.ones(6), "z", generator.identity, method="true", labels=labels
    )
    directions.save(tmp_path / "directions.safetensors")
    return tmp_path


def test_scores_can_be_measured_on_the_page(open_page, blobs_folder, serve):
    with serve(blobs_folder) as (address, _):
        page = open_page(address)
        expect(page.get_by_label("Last layer of direction 0")).to_have_count(0)
        page.get_by_role("button", name="Measure").click()
        expect(page.get_by_role("img", name="Barcode of direction 0 · height")).to_be_visible()
        # They are shown first, so that nothing is lost if they cannot be written.
        ends = time.monotonic() + 30
        while not (blobs_folder / "evaluation.json").exists() and time.monotonic() < ends:
            time.sleep(0.1)
    assert (blobs_folder / "evaluation.json").exists()


def test_a_long_measurement_holds_up_nobody_and_can_be_cancelled(open_page, blobs_folder, serve):
    program = """
import itertools, time
from ganwalk.commands import main
from ganwalk.explore.studio import Studio

def measure(self, side, on_progress):
    for k in itertools.count():
        on_progress("endless", k % 10 / 10)
        time.sleep(0.01)

Studio.measure = measure
main()
"""
    with serve(blobs_folder, program=program) as (address, _):
        page = open_page(address)
        cancel = page.get_by_role("button", name="Cancel")
        expect(cancel).not_to_be_visible()
        page.get_by_role("button", name="Measure").click()
        expect(page.get_by_role("status").get_by_text("endless")).to_be_visible()
        # Pictures of a page that is opened meanwhile are there.
        open_page(address)
        cancel.click()
        expect(page.get_by_role("status").get_by_text("endless")).not_to_be_visible()
        expect(cancel).not_to_be_visible()


def test_previews_come_first_and_whole_pictures_at_the_end(open_page, found, scenes, tmp_path, serve):
    found[0].save(tmp_path / "directions.safetensors")
    with serve(tmp_path, "--preview", "always") as (address, _):
        page = open_page(address)
        slider = amplitude(page, 0)
        box = slider.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2, steps=3)
        expect(page.locator("[data-state=preview]")).to_be_visible()
        assert pixels(page).shape == (32, 32, 3)
        page.mouse.up()
        expect(page.locator("[data-state=full]")).to_be_visible()
        edit = [Move(0, float(slider.input_value()))]
        until(lambda: np.array_equal(pixels(page), truth(scenes, found[0], edit, 1)))


def test_classes_are_chosen(open_page, tmp_path, serve):
    torch.manual_seed(0)
    config = StyleGAN2Config(img_resolution=16, z_dim=8, w_dim=12, c_dim=3, channel_base=128, channel_max=8)
    network = StyleGAN2(config).eval()
    write_native(config, dict(network.state_dict()), tmp_path / "classes.safetensors")
    generator = load_generator(tmp_path / "classes.safetensors")
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", generator.identity)
    directions.save(tmp_path / "directions.safetensors")
    with serve(tmp_path, "--generator", "classes.safetensors") as (address, _):
        page = open_page(address)
        chosen = page.get_by_label("Class")
        chosen.fill("2")
        chosen.press("Enter")
        expect(page).to_have_url(re.compile("class=2"))
        until(lambda: np.array_equal(pixels(page), truth(generator, directions, [], 1, class_index=2)))
        page.get_by_role("button", name="Clear").click()
        expect(page).not_to_have_url(re.compile("class"))
        until(lambda: np.array_equal(pixels(page), truth(generator, directions, [], 1)))


def test_other_directions_and_generators_are_opened_from_the_page(
    open_page, blobs_folder, found, scenes, tmp_path, serve
):
    (blobs_folder / "other").mkdir()
    found[0].labelled(1, Label("smile")).save(blobs_folder / "other" / "scenes.safetensors")
    torch.jit.script(torch.nn.Identity()).save(str(blobs_folder / "program.ts"))

    def ask(page, **texts):
        page.keyboard.press("o")
        dialog = page.get_by_role("dialog", name="Open")
        expect(dialog).to_be_visible()
        for label, words in texts.items():
            dialog.get_by_label(label).fill(words)
        dialog.get_by_role("button", name="Open").click()
        expect(dialog).to_have_count(0)

    with serve(blobs_folder) as (address, process):
        page, other = open_page(f"{address}?a=0=2"), open_page(address)
        for texts, words in (
            ({"Directions": "nowhere.safetensors"}, "nowhere.safetensors does not exist"),
            ({"Directions": "~nobody-here/x.safetensors"}, "a user that does not exist here"),
            ({"Directions": "hessian"}, "no method with a closed form"),
            ({"Generator": "tests.explore.code:make"}, "is code, which no page runs"),
            ({"Generator": "program.ts"}, "runs only on your word"),
            ({"Generator": "scenes"}, "not the generator of these directions"),
        ):
            ask(page, **texts)
            complained(page, words)
        expect(amplitude(page, 0)).to_have_value("2")
        ask(page, Directions="other/scenes.safetensors")
        for each in (page, other):
            expect(each.get_by_role("heading", name="ganwalk · scenes")).to_be_visible()
            expect(each.get_by_role("button", name="1 · smile", exact=True)).to_be_visible()
        assert "a=" not in page.url
        until(lambda: np.array_equal(pixels(page), truth(scenes, found[0], [], 1)))
        ask(page, **{"Directions": "pca", "Generator": "blobs", "Compare with": "random"})
        expect(page.get_by_role("heading", name="6 directions of A")).to_be_visible()
        expect(page.get_by_role("heading", name="ganwalk · blobs")).to_be_visible()
        ask(page, **{"Directions": "directions.safetensors", "Compare with": ""})
        expect(page.get_by_role("button", name="0 · height", exact=True)).to_be_visible()
        page.close()
        other.close()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
    assert output.strip().splitlines()[-2:] == [
        "names and stars are in directions.safetensors",
        "next: ganwalk report --directions directions.safetensors",
    ]


def test_many_directions_are_shown_in_parts(open_page, scenes, tmp_path, serve):
    n = scenes.w_dim
    directions = Directions(torch.eye(n), torch.ones(n), "w", scenes.identity)
    directions.save(tmp_path / "directions.safetensors")
    with serve(tmp_path) as (address, _):
        page = open_page(f"{address}?direction=60")
        expect(page.locator(".row-of-direction")).to_have_count(41)
        page.get_by_role("button", name="Show all").click()
        expect(page.locator(".row-of-direction")).to_have_count(n)


def test_other_machines_need_the_token(open_page, blobs_folder, serve):
    with serve(blobs_folder, "--host", "0.0.0.0") as (printed, _):
        port, token = re.search(r":(\d+)/\?token=([\w-]{20,})$", printed).groups()
        address = f"http://127.0.0.1:{port}/"
        for query in ("", "?token=wrong", f"?token={token[:-1]}"):
            with pytest.raises(HTTPError, match="403"):
                urlopen(address + query)
        page = open_page(f"{address}?token={token}&seeds=3")
        assert "token" not in page.url
        # Files of this machine are not theirs to open.
        expect(page.get_by_role("button", name="Open other directions")).to_have_count(0)
        page.keyboard.press("o")
        expect(page.get_by_label("Seeds")).to_have_value("3")
        amplitude(page, 0).press("End")
        expect(page).to_have_url(re.compile("a=0=5"))


def test_pictures_that_are_not_square_keep_their_proportions(tmp_path, open_page, serve):
    generator = load_generator(GOLDEN / "sghuman_v2_32x16.pkl")
    settings = DiscoverySettings(n_directions=2, method="random", batch=4, equalize=False)
    run_discovery(generator, settings).directions.save(tmp_path / "directions.safetensors")
    with serve(tmp_path) as (address, _):
        page = open_page(address)
        for place, proportions in ((".pictures img", 0.5), (".strip .where img", 0.5), (".walk", 2.5)):
            expect(page.locator(f"{place}[src]" if "img" in place else f"{place} img[src]").first).to_be_visible()
            box = page.locator(place).first.bounding_box()
            assert box["width"] / box["height"] == pytest.approx(proportions, rel=0.05), place
        assert pixels(page).shape[:2] == (32, 16)


@pytest.mark.parametrize("named", [True, False])
def test_an_interrupt_ends_it_and_says_what_is_next(browser, blobs_folder, named, serve):
    path = blobs_folder / "directions.safetensors"
    if not named:
        replace(Directions.load(path), labels=()).save(path)
    with serve(blobs_folder) as (address, process), browser.new_page() as page:
        # Not by `open_page`: a page whose server is gone has errors in its console.
        page.goto(address)
        expect(page.locator("[data-state=full]")).to_be_visible()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    said = ["names and stars are in directions.safetensors"] * named + ["next: ganwalk report"]
    assert output.strip().splitlines() == said


def test_the_reach_is_marked_and_sliders_can_keep_an_even_pace(open_page, found, tmp_path, serve):
    directions = found[0].select([0])
    ends = torch.tensor([[2.0, 4.0]])
    pace = ends[..., None] * torch.tensor([0.25, 1.0])
    replace(directions, reach=Reach(ends, pace, limit=8.0, share=0.25)).save(tmp_path / "directions.safetensors")
    with serve(tmp_path) as (address, _):
        page = open_page(address)
        slider, marks = page.get_by_label("Amplitude of direction 0"), page.locator(".mark")
        expect(marks).to_have_count(2)
        assert [mark.evaluate("one => one.style.getPropertyValue('--at')") for mark in marks.all()] == ["0.3", "0.9"]
        page.get_by_text("even pace").click()
        expect(slider).to_have_attribute("max", "1")
        expect(marks).to_have_count(0)
        for key, url in (("End", "a=0=4"), ("Home", "a=0=-2")):
            slider.press(key)
            expect(page).to_have_url(re.compile(rf"{url}$"))
        # Half of the way forwards is a quarter of the amplitude.
        slider.evaluate("one => { one.value = 0.5; one.dispatchEvent(new Event('input')); }")
        slider.dispatch_event("change")
        expect(page).to_have_url(re.compile(r"a=0=1$"))
        expect(slider).to_have_value("0.5")
