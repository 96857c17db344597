"""How fast a slider moves a picture: NiceGUI, which the explorer is made with, against Gradio, in one run.

    pip install '.[ui]' gradio playwright
    python benchmarks/sliders.py

Each library serves a page with one slider and one picture of 256 px, in the way of its own documentation; headless
Chromium moves the slider and waits for the picture to change. The picture itself costs nothing. Repetitions are
interleaved. Also counted: requests of the pages to other hosts.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).resolve().parent / "results"
_PX = 256
# Moves the slider in the page, and resolves to milliseconds until a new picture is complete.
_MOVE = """async value => {
  const slider = document.querySelector("input[type=range]");
  const before = document.querySelector("img")?.src;
  const start = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  for (;;) {
    await new Promise(requestAnimationFrame);
    const picture = document.querySelector("img");
    if (picture?.src && picture.src !== before && picture.complete) return performance.now() - start;
    if (performance.now() - start > 10000) throw new Error("the picture did not change");
  }
}"""


def picture(amplitude: float) -> np.ndarray:
    """Pixels (256, 256, 3), another grey for each amplitude."""
    return np.full((_PX, _PX, 3), int(127 + 20 * amplitude), np.uint8)


def serve_gradio(port: int) -> None:
    """A slider and a picture; of events that come too fast, the last one counts."""
    import gradio

    with gradio.Blocks() as page:
        slider = gradio.Slider(-5, 5, 0, step=0.1, label="amplitude")
        slider.input(picture, slider, gradio.Image(), trigger_mode="always_last")
    page.launch(server_port=port, quiet=True)


def serve_nicegui(port: int) -> None:
    """A slider and a picture, as the explorer has them."""
    from nicegui import ui

    from ganwalk.explore.shots import encode_picture
    from ganwalk.explore.widgets import AmplitudeSlider

    @ui.page("/")
    def index() -> None:
        image = ui.element("img")

        def show(amplitude: float) -> None:
            image.props["src"] = encode_picture(picture(amplitude))

        AmplitudeSlider(5.0, show, show)

    ui.run(port=port, show=False, reload=False, show_welcome_message=False)


def measure(library: str, moves: int) -> dict[str, Any]:
    """Seconds until the slider is there, milliseconds of each move, and addresses elsewhere that were asked for."""
    from playwright.sync_api import sync_playwright

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", library, "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    foreign: set[str] = set()
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if server.poll() is not None:
                    sys.exit(f"the server of {library} ended: is it installed? (see --help)")
                time.sleep(0.05)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page()
            page.on("request", lambda request: None if _is_here(request.url) else foreign.add(request.url))
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector("input[type=range]")
            usable = time.perf_counter() - start
            page.wait_for_timeout(1500)
            milliseconds = []
            for k in range(moves):
                milliseconds.append(page.evaluate(_MOVE, round(-4 + 8 * k / moves, 1)))
                page.wait_for_timeout(150)
    finally:
        server.kill()
        server.wait()
    return {"usable": usable, "milliseconds": milliseconds, "foreign": sorted(foreign)}


def _is_here(url: str) -> bool:
    return url.startswith(("data:", "blob:")) or "//127.0.0.1:" in url


def main() -> None:
    """Measures both, prints a line for each, and writes results/sliders.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--serve", choices=["gradio", "nicegui"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return {"gradio": serve_gradio, "nicegui": serve_nicegui}[options.serve](options.port)
    runs: dict[str, list[dict[str, Any]]] = {"gradio": [], "nicegui": []}
    for _ in range(options.repeats):
        for library, results in runs.items():
            results.append(measure(library, options.moves))
    facts: dict[str, Any] = {"machine": platform.machine(), "python": platform.python_version()}
    for library, results in runs.items():
        facts[library] = {
            "version": version(library),
            "milliseconds": statistics.median(value for run in results for value in run["milliseconds"]),
            "seconds until usable": statistics.median(run["usable"] for run in results),
            "requests elsewhere": sorted({url for run in results for url in run["foreign"]}),
        }
        print(library, json.dumps(facts[library]))
    facts["ratio"] = facts["gradio"]["milliseconds"] / facts["nicegui"]["milliseconds"]
    print(f"a move of the slider: Gradio takes {facts['ratio']:.1f} times as long")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sliders.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
