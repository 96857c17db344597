"""The report: what Chromium makes of it, and that nothing in it is heavier, louder or less true than it says."""

import base64
import io
import itertools
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.labels import Label
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.run import evaluate
from ganwalk.generators.base import GeneratorIdentity, sample_z
from ganwalk.generators.blobs import Blobs, BlobsConfig
from ganwalk.generators.loading import load_generator
from ganwalk.rendering.images import to_bytes
from ganwalk.rendering.report import ReportSettings, write_report
from ganwalk.rendering.report.barcodes import BarcodeAxes, draw_barcode
from ganwalk.rendering.report.page import count_pictures
from ganwalk.rendering.report.reproduce import discover_command, report_command
from ganwalk.rendering.report.strips import DIRECTION_BYTES, encode_strip

expect = pytest.importorskip("playwright.sync_api").expect
FAST = ReportSettings(seeds=(1, 2), steps=5)
HOSTILE = (
    "<img src=x onerror=window.broken=1>",
    "</script><script>window.broken=1</script>",
    '"><svg onload=window.broken=1>',
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A report about the true axes of blobs, with names, a star, a hidden direction and scores."""
    generator = Blobs(BlobsConfig()).eval()
    generator.identity = GeneratorIdentity("/home/ada/nets/blobs.pt", "0" * 64, "blobs", 32)
    labels = (Label("height", "up and down", starred=True), Label(), Label(hidden=True), Label(), Label(), Label("hue"))
    directions = Directions(
        generator.rotation.clone(), torch.ones(6), "z", generator.identity, method="true", labels=labels
    )
    facts = evaluate(generator, directions, samples=8, reconstructor=False, threads=1).to_json()
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, generator, directions, FAST, evaluation=facts)
    return path, generator, directions, facts


def pixels(page, number=0):
    """Of the picture that a scrubber shows: (side, side, 4)."""
    values = page.evaluate(
        "k => { const c = document.querySelectorAll('canvas')[k];"
        " return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; }",
        number,
    )
    side = int(np.sqrt(len(values) // 4))
    return np.array(values, np.uint8).reshape(side, side, 4)


@pytest.fixture
def open_report(new_page):
    """Opens a report and waits until its pictures are drawn."""

    def call(path, **options):
        page = new_page(**options)
        page.goto(path.as_uri())
        expect(page.locator(".card:not(.later) .marker[hidden]")).to_have_count(0)
        return page

    return call


def test_a_slider_moves_its_pictures_from_the_keyboard(open_report, rendered):
    path, generator, directions, _ = rendered
    page = open_report(path)
    slider = page.get_by_label("Amplitude of direction 3", exact=True)
    assert slider.get_attribute("aria-valuetext") == "0 σ"
    seen = [pixels(page, 2 * 2)]  # Direction 2 is hidden: the canvases of 3 are the third pair.
    slider.focus()
    for expected in ("+1.5 σ", "+3 σ"):
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == expected
        assert page.locator("#direction-3 output").inner_text() == expected
        seen.append(pixels(page, 4))
    assert all(np.abs(a.astype(int) - b).mean() > 1 for a, b in itertools.pairwise(seen))
    # The pictures are those of the generator, but for their size and compression.
    z = sample_z(generator, 1, 1)
    for picture, amplitude in zip(seen, (0.0, 1.5, 3.0), strict=True):
        truth = to_bytes(generator.synthesis(generator.mapping(z + amplitude * directions.vectors[3])))[0]
        shown = Image.fromarray(picture[..., :3]).resize((32, 32), Image.Resampling.BOX)
        assert np.abs(np.asarray(shown).astype(int) - truth).mean() < 8
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "−3 σ"


def test_play_moves_and_pauses_and_is_not_offered_to_those_who_want_no_motion(open_report, rendered):
    page = open_report(rendered[0])
    button = page.get_by_role("button", name="Play direction 0 · height")
    slider = page.locator("#amplitude-0")
    button.focus()
    page.keyboard.press("Enter")
    expect(slider).not_to_have_value("2")
    page.get_by_role("button", name="Pause direction 0 · height").press("Enter")
    stopped = slider.input_value()
    page.wait_for_timeout(500)
    assert slider.input_value() == stopped
    button.click()
    page.emulate_media(reduced_motion="reduce")
    expect(page.locator("#direction-0 .verb")).to_have_text("Play")
    assert not button.is_visible() and slider.is_visible()


def test_a_click_on_a_strip_shows_that_picture(open_report, rendered):
    page = open_report(rendered[0])
    frames = page.locator("#direction-1 .frames").first
    box = frames.bounding_box()
    frames.click(position={"x": box["width"] * 0.95, "y": box["height"] / 2})
    assert page.locator("#direction-1 output").inner_text() == "+3 σ"


def test_cards_are_sorted_and_filtered(open_report, rendered):
    path, _, _, facts = rendered
    page = open_report(path)

    def order():
        return page.evaluate("[...document.querySelectorAll('.card')].map(card => Number(card.dataset.index))")

    assert order() == [0, 1, 3, 4, 5]
    page.get_by_label("Order").select_option(label="RTD, lowest first")
    rtd = [row["rtd"] for row in facts["directions"]]
    assert order() == sorted([0, 1, 3, 4, 5], key=lambda i: rtd[i])
    page.get_by_label("Order").select_option(label="distinctness, highest first")
    distinctness = [row["distinctness"] for row in facts["directions"]]
    assert order() == sorted([0, 1, 3, 4, 5], key=lambda i: -distinctness[i])
    page.get_by_label("starred only").check()
    assert [card.is_visible() for card in page.locator(".card").all()].count(True) == 1


def test_the_page_holds_the_scores_and_leaves_hidden_directions_out(open_report, rendered):
    path, _, _, facts = rendered
    page = open_report(path)
    whole = page.inner_text("body")
    assert "1 hidden direction is left out" in whole and "up and down" in whole and "/home/ada" not in path.read_text()
    assert page.locator("#direction-2").count() == 0 and page.locator("#direction-0").count() == 1
    page.get_by_text("What these scores say").click()
    legend = page.locator(".legend").inner_text()
    assert "factor's share of everything that this direction moves" in legend
    table = page.locator("table:has(#scores-of-each)")
    assert table.get_by_text("purity").get_attribute("title") in legend
    purities = [row["purity"] for row in facts["directions"]]
    column = table.locator("thead th").all_inner_texts().index("purity")
    cells = [row.locator("td").nth(column - 1).inner_text() for row in table.locator("tbody tr").all()]
    assert cells == [f"{purities[i]:.3f}" for i in (0, 1, 3, 4, 5)]
    for name in ("effects", "axes"):
        heat = page.locator(f"table:has(#{name})")
        key = {"effects": "matrix", "axes": "cosines"}[name]
        rows = [[cell.inner_text() for cell in row.locator("td").all()] for row in heat.locator("tbody tr").all()]
        assert rows == [[f"{value:.2f}" for value in facts[name][key][i]] for i in (0, 1, 3, 4, 5)]
    bars = facts["barcodes"][3]
    total = sum(d - b for b, d in zip(bars["births"], bars["deaths"], strict=True))
    described = page.locator("#barcode-3-words").text_content()
    assert described.startswith(f"{len(bars['births'])} bars") and f"in all {total:.2f} long" in described


def test_every_direction_says_where_it_changes_pictures(open_report, rendered, tmp_path):
    page = open_report(rendered[0])
    heat = page.locator(".where img")
    assert heat.count() == page.locator(".card").count() == 5
    assert heat.last.get_attribute("alt") == "Heat map over seed 1: direction 5 · hue changes most in the background"
    assert page.locator("#direction-5 .where figcaption").inner_text() == "changes most in the background"
    assert page.evaluate("[...document.querySelectorAll('.where img')].every(i => i.naturalWidth === 128)")
    generator = load_generator("blobs-dead")
    dead = Directions(generator.rotation[[5, 12]].clone(), torch.ones(2), "z", generator.identity)
    write_report(tmp_path / "dead.html", generator, dead, ReportSettings(seeds=(3,), steps=2))
    page = open_report(tmp_path / "dead.html")
    words = [figure.inner_text() for figure in page.locator(".where figcaption").all()]
    assert words == ["changes most in the background", "changes hardly anything"]


def test_what_codes_tell_of_factors_is_shown_where_it_was_measured(rendered, tmp_path):
    _, generator, directions, facts = rendered
    assert "Mutual information of codes and factors" not in report_text(generator, directions, facts, tmp_path)
    told = [[0.5 + k] for k in range(len(directions))]
    given = {**facts, "representation": {"dataset": "latents", "names": ["hue"], "information": told}}
    found = report_text(generator, directions, given, tmp_path)
    assert "Mutual information of codes and factors" in found and "the data set latents" in found
    # The third direction is hidden.
    assert ">3.50<" in found and ">2.50<" not in found


def report_text(generator, directions, facts, folder):
    """The report as HTML."""
    write_report(folder / "report.html", generator, directions, FAST, evaluation=facts)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_directions_without_an_effect_are_faint_and_means_say_how_good_they_can_be(open_report, rendered, tmp_path):
    _, generator, directions, _ = rendered
    three = replace(directions.select([0, 1, 2]), scales=torch.tensor([1.0, 1e-3, 1.0]))
    facts = evaluate(generator, three, samples=8, reconstructor=False, threads=1).to_json()
    path = tmp_path / "three.html"
    write_report(path, generator, three, FAST, evaluation=facts)
    page = open_report(path)
    assert page.locator("tr.faint").all_inner_texts()[0].split("\t")[2] == "no effect"
    assert page.locator("tr.faint").count() == 1 and "no effect" in page.locator("#title-1").inner_text()
    table = page.locator("table:has(#scores-of-all)")
    for name in ("mean |cosine|", "MCC"):
        row = table.locator("tr", has=page.get_by_text(name, exact=True))
        assert "at most 0.500: 3 directions for 6 axes" in row.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(open_report, rendered, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = open_report(rendered[0], color_scheme=scheme, viewport={"width": width, "height": 900})
    for summary in page.locator("summary").all():
        summary.click()
    result = Axe().run(page, options={"resultTypes": ["violations", "incomplete"]}).response
    assert [found["id"] for found in result["violations"]] == []
    # Axe leaves stars and the numbers of drawings to people: their colours are those of texts that it did check.
    undecided = [node["html"] for found in result["incomplete"] for node in found["nodes"]]
    assert [html for html in undecided if not html.startswith(('<span class="star" role="img"', "<text "))] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_print_shows_the_strips_instead_of_the_scrubbers(open_report, rendered, tmp_path):
    page = open_report(rendered[0])
    page.emulate_media(media="print")
    assert not page.locator(".scrubber").first.is_visible()
    assert all(film.is_visible() for film in page.locator(".film img").all())
    assert page.locator("table:has(#settings-of-report)").is_visible()
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Subtype /Image") >= 10


@pytest.mark.slow
def test_ten_directions_are_printed_on_six_pages_without_broken_words(open_report, tmp_path):
    generator = load_generator("blobs-dead")
    vectors = torch.cat([generator.axes, generator.rotation[:4]])
    directions = Directions(vectors, torch.ones(10), "z", generator.identity)
    facts = evaluate(generator, directions, samples=8, reconstructor=False, threads=1).to_json()
    facts["effects"]["names"] = [f"{name}_of_something" for name in facts["effects"]["names"]]
    path = tmp_path / "ten.html"
    write_report(path, generator, directions, evaluation=facts)
    # What is left of an A4 page between its margins, at 96 pixels per inch.
    page = open_report(path, viewport={"width": 688, "height": 1017})
    pdf = page.pdf(prefer_css_page_size=True)
    assert 4 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 6
    assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf
    page.emulate_media(media="print")
    broken = """() => [...document.querySelectorAll("th, td, dt, .facts dd")].flatMap((cell) => {
      const range = document.createRange(), words = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      const found = [];
      while (words.nextNode())
        for (const word of words.currentNode.data.matchAll(/[\\w.]+/g)) {
          range.setStart(words.currentNode, word.index);
          range.setEnd(words.currentNode, word.index + word[0].length);
          if (new Set([...range.getClientRects()].map((box) => box.top)).size > 1) found.push(word[0]);
        }
      return found;
    })"""
    assert page.evaluate(broken) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".legend").inner_text().count("purity") == 1


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 800)])
def test_the_first_screen_has_pictures(open_report, rendered, width, height):
    page = open_report(rendered[0], viewport={"width": width, "height": height})
    lead = page.locator(".lead")
    # The starred one first of all, and the hidden one not at all.
    assert lead.locator("a").all_inner_texts() == ["0 · height", "1", "3", "4"]
    for picture in lead.locator("img").all():
        box = picture.bounding_box()
        assert box["y"] + box["height"] < height and box["width"] > 150
    lead.locator("a").nth(2).click()
    expect(page).to_have_url(re.compile("#direction-3$"))


def test_many_directions_are_shown_in_parts(open_report, toy, tmp_path):
    vectors = torch.eye(12).repeat(4, 1)[:45]
    directions = Directions(vectors, torch.ones(45), "w", toy.identity)
    path = tmp_path / "many.html"
    write_report(path, toy, directions, ReportSettings(seeds=(1,), steps=2))
    page = open_report(path)

    def visible():
        return page.locator(".card:visible").count()

    assert visible() == 20 and page.locator("#direction-0 canvas").is_visible()
    links = page.get_by_role("navigation").get_by_role("link")
    assert [" ".join(link.split()) for link in links.all_inner_texts()[1:-1]] == [
        "Directions 0 to 19",
        "Directions 20 to 39",
        "Directions 40 to 44",
    ]
    expect(page.locator(".more")).to_contain_text("20 of 45 are shown")
    page.get_by_role("button", name="Show more directions").click()
    assert visible() == 40
    links.nth(3).click()
    expect(page.locator("#direction-44")).to_be_visible()
    assert visible() == 45 and not page.locator(".more").is_visible()
    page.reload()
    expect(page.locator("#direction-40")).to_be_in_viewport()
    page.emulate_media(media="print")
    page.evaluate("location.hash = ''")
    page.reload()
    assert visible() == 45


def test_without_scripts_the_strips_are_there(new_page, rendered):
    page = new_page(java_script_enabled=False)
    page.goto(rendered[0].as_uri())
    assert all(film.is_visible() for film in page.locator(".film img").all())
    assert not page.locator(".scrubber").first.is_visible()


def test_the_policy_stops_what_would_be_added(browser, rendered, tmp_path):
    text = rendered[0].read_text(encoding="utf-8")
    added = '<script>window.broken=1</script><img src="http://127.0.0.1:9/x" onerror="window.broken=1"></body>'
    path = tmp_path / "changed.html"
    path.write_text(text.replace("</body>", added), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    expect(page.locator(".marker[hidden]")).to_have_count(0)
    page.wait_for_timeout(300)
    assert page.evaluate("window.broken") is None
    page.close()


def test_hostile_texts_are_inert(open_report, rendered, tmp_path):
    _, generator, directions, facts = rendered
    facts = json.loads(json.dumps(facts))
    for part in (facts["effects"], facts["axes"]):
        part["names"] = [HOSTILE[k % 3] + str(k) for k in range(len(part["names"]))]
    facts["effects"]["reader"] = HOSTILE[0]
    facts["effects"]["matrix"][0] = [1e300] * len(facts["effects"]["names"])
    facts["summary"][HOSTILE[1]] = HOSTILE[2]
    facts["settings"][HOSTILE[2]] = HOSTILE[0]
    for row in facts["directions"]:
        row |= {"factor": HOSTILE[1], "axis": HOSTILE[2], "rtd": HOSTILE[0], "displacement": HOSTILE[2]}
    labels = tuple(Label(text, text, starred=True) for text in HOSTILE) + (Label(),) * 3
    identity = GeneratorIdentity("".join(HOSTILE), HOSTILE[2], HOSTILE[0], 32)
    hostile = replace(
        directions,
        labels=labels,
        generator=identity,
        method="imported from " + "".join(HOSTILE),
        settings={HOSTILE[0]: HOSTILE[1], "file": ["\u202e\ud800", {HOSTILE[2]: None}]},
        version="\u202e\ud800" + HOSTILE[1],
    )
    path = tmp_path / "hostile.html"
    write_report(path, generator, hostile, FAST, evaluation=facts, directions_file=HOSTILE[1] + ".safetensors")
    assert "\u202e" not in path.read_text(encoding="utf-8")
    page = open_report(path)
    assert page.evaluate("window.broken") is None
    assert (
        page.locator("h3", has_text=HOSTILE[0]).count() >= 1 and page.locator(".note").first.inner_text() == HOSTILE[0]
    )
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("document.querySelectorAll('img:not([src^=\"data:\"])').length") == 0
    handlers = "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'))"
    assert page.evaluate(handlers) == []
    assert page.locator("table:has(#effects) td").first.inner_text() == "1e+300"
    page.locator("#amplitude-1").press("ArrowRight")
    assert page.locator("#direction-1 output").inner_text() == "+1.5 σ"


class Noise:
    """Images that no codec can make smaller: a stand-in for a generator with 20 dimensions of z."""

    style_based, z_dim, c_dim, num_layers, resolution, layer_resolutions = False, 20, 0, 1, 256, (256,)
    image_size = (256, 256)

    def __init__(self):
        self.w_avg = torch.zeros(self.z_dim)

    def mapping(self, z, c=None, **truncation):
        return z[:, None]

    def synthesis(self, ws):
        rng = torch.Generator().manual_seed(int(ws.abs().sum() * 1e3))
        return torch.rand(len(ws), 3, self.resolution, self.resolution, generator=rng) * 2 - 1


@pytest.mark.slow
def test_twenty_directions_of_noise_stay_below_15_mb(tmp_path):
    identity = GeneratorIdentity("noise", "0" * 64, "noise", 256)
    labels = tuple(Label(f"{k:-<60}", "ü" * 500) for k in range(20))
    directions = Directions(torch.eye(20), torch.ones(20), "z", identity, labels=labels)
    bars = np.random.default_rng(0).random((2, 500)).cumsum(axis=0).tolist()
    names = [f"{k:-<40}" for k in range(40)]
    row = {name: 0.123456789 for name in ("rtd", "displacement", "straightness", "interaction", "distinctness")}
    facts = {
        "settings": {"amplitude": 1.0, "samples": 100},
        "summary": row,
        "directions": [row] * 20,
        "barcodes": [{"births": bars[0], "deaths": bars[1]}] * 20,
        "effects": {"names": names, "matrix": [[0.5] * 40] * 20},
        "axes": None,
    }
    path = tmp_path / "noise.html"
    settings = ReportSettings(seeds=(1,), steps=13)
    calls = []
    write_report(path, Noise(), directions, settings, evaluation=facts, progress=lambda *call: calls.append(call))
    assert 8e6 < path.stat().st_size < 15e6
    assert calls[-1] == (241, 241) and [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize("share", [2, 60, 10_000])
def test_a_strip_keeps_to_its_limit(share):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 300, 300, 3), dtype=np.uint8)
    strip = encode_strip(pictures, DIRECTION_BYTES // share)
    picture = Image.open(io.BytesIO(base64.b64decode(strip.uri.partition(",")[2])))
    assert picture.size == (5 * strip.cell, strip.cell) and strip.steps == 5 and strip.cell % 16 == 0
    # Sixteen pixels are where it ends.
    assert len(strip.uri) <= DIRECTION_BYTES // share or (strip.cell == 16 and share == 10_000)
    assert strip.cell == 256 if share == 2 else strip.cell < 256


def test_neighbours_in_a_strip_do_not_run_into_each_other():
    pictures = np.zeros((4, 100, 100, 3), np.uint8)
    pictures[1::2] = (255, 0, 40)
    strip = encode_strip(pictures)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(strip.uri.partition(",")[2]))).convert("RGB")).astype(int)
    for column in range(4):
        off = np.abs(sheet[:, column * strip.cell : (column + 1) * strip.cell] - pictures[column, 0, 0])
        assert off[:, 1:-1].max() <= 6 and off.max() <= 60


def test_very_many_steps_fit_a_picture():
    strip = encode_strip(np.zeros((101, 256, 256, 3), np.uint8))
    assert strip.cell * 101 <= 16383


def test_a_barcode_is_drawn_to_scale():
    barcode = {"births": [0.0, 0.5], "deaths": [1.0, 0.75]}
    axes = BarcodeAxes.of([barcode, {"births": [0.1], "deaths": [2.0]}])
    svg = draw_barcode(barcode, axes, "b", "title")
    lines = [tuple(map(float, line)) for line in re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", svg)][1:]
    assert len(lines) == 2
    (first, low, first_end), (second, high, second_end) = lines
    assert first_end - first == pytest.approx(126, abs=0.2) and second_end - second == pytest.approx(31.5, abs=0.2)
    assert second - first == pytest.approx(63, abs=0.2) and low > high
    assert "2 bars, the longest from 0.00 to 1.00, in all 1.25 long" in svg
    empty = BarcodeAxes.of([{"births": [], "deaths": []}])
    assert "0 bars" in draw_barcode({"births": [], "deaths": []}, empty, "b", "title")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"n_directions": 3, "method": "random", "seed": 7},
        {"n_directions": 2, "method": "pca", "space": "z", "truncation_psi": -0.5},
        {
            "n_directions": 2,
            "steps": 1,
            "batch": 5,
            "layers": (1, 2),
            "equalize": False,
            "lr": 1e-05,
            "subspace_dim": 4,
            "start": "random",
            "directions_per_step": 1,
            "layer": 3,
            "chunk": 5,
        },
    ],
)
def test_the_command_finds_the_same_directions_again(toy, run, tmp_path, monkeypatch, options):
    found = run_discovery(toy, DiscoverySettings(**options), threads=1).directions
    found.save(tmp_path / "found.safetensors")
    command = discover_command(Directions.load(tmp_path / "found.safetensors"), toy)
    assert command is not None and command.startswith("ganwalk discover --generator toy ")
    # Options that the generator would choose by itself are not worth a word.
    assert ("--chunk" in command) == ("chunk" in options)
    monkeypatch.setattr("ganwalk.generators.loading.load_generator", lambda *arguments, **options: toy)
    code, _, err = run(*shlex.split(command)[1:], "--out", tmp_path / "again", "--threads", 1, "-q")
    assert code == 0, err
    again = Directions.load(tmp_path / "again" / "directions.safetensors")
    assert again.settings == Directions.load(tmp_path / "found.safetensors").settings
    assert torch.equal(again.vectors, found.vectors)


def test_no_command_is_better_than_a_wrong_one(toy):
    found = run_discovery(toy, DiscoverySettings(n_directions=2, method="random"), threads=1).directions
    for settings in (
        {},
        {"file": "sefa.npy"},
        found.settings | {"both_signs": True},
        found.settings | {"unheard_of": 1},
        found.settings | {"layers": [4, "x"]},
        found.settings | {"n_directions": 10**30},
    ):
        assert discover_command(replace(found, settings=settings), toy) is None
    for chosen, method, possible in (
        ("auto", "local", True),
        ("auto", "pca", False),
        ("interfacegan", "interfacegan", False),
        (["rtd"], "rtd", False),
    ):
        other = replace(found, method=method, settings={**found.settings, "method": chosen}, oblique=True)
        assert (discover_command(other, toy) is not None) == possible, (chosen, method)
    older = {name: value for name, value in found.settings.items() if name != "scale_gradient"}
    assert discover_command(replace(found, settings=older), toy) == discover_command(found, toy) is not None


def test_the_report_command_names_what_differs(toy):
    identity = replace(toy.identity, reference="/home/ada/my gan.ts", architecture="torchscript")
    identity = replace(identity, interface='{"image_range": [0.0, 1.0], "latent_dim": 12}')
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", identity)
    settings = ReportSettings((3, 1), 2.5, 7, 0.7, 2, 4, (1, 2), True)
    command = report_command(directions, "/home/ada/smile.safetensors", settings, evaluated=False)
    expected = ["ganwalk", "report", "--directions", "smile.safetensors", "--generator", "my gan.ts", "--trust"]
    expected += ["--latent-dim", "12", "--image-range", "0.0,1.0", "--seeds", "3,1", "--amplitude", "2.5"]
    expected += ["--steps", "7", "--truncation", "0.7", "--truncation-cutoff", "2", "--class", "4"]
    expected += ["--layers", "1-2", "--hidden", "--no-evaluate"]
    assert shlex.split(command) == expected
    nvidia = report_command(directions, "d.safetensors", replace(settings, seed_style="nvidia"), evaluated=True)
    assert "--seed-style nvidia" in nvidia
    assert replace(settings, seed_style="nvidia").samples(toy).summary == "NVIDIA's seeds 3, 1"
    plain = replace(directions, generator=toy.identity)
    assert report_command(plain, "directions.safetensors", ReportSettings(), True) == "ganwalk report"


@pytest.mark.parametrize("steps", [2, 3])
def test_heat_maps_lie_on_the_sample_itself_whatever_the_steps(toy, tmp_path, monkeypatch, steps):
    under, made = [], []
    monkeypatch.setattr("ganwalk.rendering.report.page.card", lambda *arguments: under.append(arguments[-1][1]) or "")
    toy.synthesis.register_forward_hook(lambda module, inputs, output: made.append(len(output)))
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity)
    settings = ReportSettings(seeds=(4, 5), steps=steps)
    write_report(tmp_path / "report.html", toy, directions, settings)
    assert sum(made) == count_pictures(directions, settings, 2)
    with torch.no_grad():
        itself = to_bytes(toy(sample_z(toy, 1, 4)))[0]
    assert len(under) == 2 and all(np.abs(picture.astype(int) - itself).max() <= 1 for picture in under)


def test_less_is_shown_of_slow_generators_if_nobody_says_how_much(toy, tmp_path):
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity)
    shapes = {}
    for resolution in (128, 256, 1024):
        toy.resolution = resolution
        settings = ReportSettings().resolve(toy)
        shapes[resolution] = (settings.seeds, settings.steps, count_pictures(directions, settings, len(settings.seeds)))
    # The samples themselves, and what is shifted.
    assert shapes == {128: ((1, 2), 13, 2 + 48), 256: ((1,), 5, 1 + 8), 1024: ((1,), 3, 1 + 4)}
    asked = ReportSettings(seeds=(4, 5), steps=2)
    assert asked.resolve(toy) == asked and count_pictures(directions, asked, len(asked.seeds)) == 9
    made = []
    toy.synthesis.register_forward_hook(lambda module, inputs, output: made.append(len(output)))
    toy.resolution = 1024
    write_report(tmp_path / "report.html", toy, directions)
    assert sum(made) == 5
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "samples of seed 1," in written and "ganwalk report --no-evaluate" in written


def test_scores_of_features_are_called_that(rendered, tmp_path):
    path, generator, directions, facts = rendered
    assert "not of whole images" not in path.read_text(encoding="utf-8")
    features = {**facts, "compared": {"layer": 6, "resolution": 32}}
    write_report(tmp_path / "report.html", generator, directions, FAST, evaluation=features)
    assert "of features of layer 6 (32 px), not of whole images" in (tmp_path / "report.html").read_text(
        encoding="utf-8"
    )


def test_settings_and_paths_that_cannot_be(toy, tmp_path):
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity)
    for options in ({"seeds": ()}, {"amplitude": 0.0}, {"amplitude": float("nan")}, {"steps": 1}, {"steps": 102}):
        with pytest.raises(GanwalkError):
            ReportSettings(**options)
    with pytest.raises(GanwalkError, match="must end in"):
        write_report(tmp_path / "report.pdf", toy, directions)
    with pytest.raises(GanwalkError, match="layers 4-40 do not exist"):
        write_report(tmp_path / "report.html", toy, directions, ReportSettings(layers=(4, 40)))
    in_z = Directions(torch.eye(8)[:2], torch.ones(2), "z", toy.identity)
    with pytest.raises(GanwalkError, match="needs directions in w"):
        write_report(tmp_path / "report.html", toy, in_z, ReportSettings(layers=(1, 2)))
    with pytest.raises(GanwalkError, match="cutoff 7 is out of range"):
        write_report(tmp_path / "report.html", toy, directions, ReportSettings(truncation_psi=0.5, truncation_cutoff=7))
    with pytest.raises(GanwalkError, match="class given"):
        write_report(tmp_path / "report.html", toy, directions, ReportSettings(class_index=3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_command_takes_scores_that_are_there_or_makes_its_own(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ["--seeds", "4", "--steps", "3", "-q", "--threads", "1"]
    assert run("discover", "-g", "blobs", "-n", 3, "--steps", 1, "--batch", 6, "-q")[0] == 0
    assert run("name", 1, "dusk <b>", "--hide")[0] == 0
    code, out, err = run("report", *small, "--no-evaluate")
    assert code == 0 and err == "", err
    page = Path("ganwalk-out/report-seeds-4-steps-3.html").read_text(encoding="utf-8")
    assert out.splitlines()[0] == f"wrote ganwalk-out/report-seeds-4-steps-3.html ({len(page.encode()) / 1e6:.1f} MB)"
    assert out.splitlines()[1].startswith("next: ganwalk ")
    assert "written without scores" in page and 'id="direction-1"' not in page and 'id="direction-2"' in page
    assert "ganwalk discover --generator blobs --n-directions 3 --steps 1 --batch 6" in page
    assert run("report", *small, "--hidden", "-o", "all.html")[0] == 0
    page = Path("all.html").read_text(encoding="utf-8")
    assert "on 100 samples" in page and 'id="direction-1"' in page
    assert "dusk &lt;b&gt;" in page and "dusk <b>" not in page
    assert run("evaluate", "--samples", 9, "--no-reconstructor", "-q", "--threads", 1)[0] == 0
    assert run("report", *small, "-o", "stored.html")[0] == 0
    assert "on 9 samples" in Path("stored.html").read_text(encoding="utf-8")
    facts = json.loads(Path("ganwalk-out/evaluation.json").read_text())
    Path("ganwalk-out/evaluation.json").write_text(json.dumps(facts | {"fingerprint": "of others"}))
    assert run("report", *small, "-o", "others.html")[0] == 0
    assert "on 100 samples" in Path("others.html").read_text(encoding="utf-8")
    monkeypatch.setattr("ganwalk.evaluation.run.evaluate", None)
    for wrong in (["-o", "report.pdf"], ["--layers", "1-2"]):
        code, _, err = run("report", *small, *wrong)
        assert code == 2 and len(err.splitlines()) == 1
