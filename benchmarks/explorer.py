"""The explorer with as many made-up points as RxRx1 has images, in Chromium without a window.

Usage: python benchmarks/explorer.py [IMAGES]     (Chromium at $CHROMIUM, else `chromium` on the path)
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import about
from playwright.sync_api import Browser, Page, sync_playwright

from debatch.report.explorer.page import Facts, Look, write_page
from debatch.screen.names.wells import row_letters

IMAGES, EXPERIMENTS, PLATES, WELLS, SITES, CLASSES = 125_510, 51, 4, 308, 2, 1139
FRAMES, TIMES = 60, 15
# when points are there: the first frame after the page says how many
FIRST_PICTURE = """
requestAnimationFrame(function look() {
  if (document.getElementById("status")?.textContent.includes("shown")) window.firstPicture = performance.now();
  else requestAnimationFrame(look);
});
"""
MEASURES = {
    "pan": """(step) => {
        const middle = [300, 300, 300 + 5 * Math.sin(step), 300 + 5 * Math.cos(step)];
        debatch.app.scatters[0].drag(...middle);
    }""",
    "zoom": "(step) => debatch.app.scatters[0].drag(300, 300, 300, 300, step % 40 < 20 ? 1.15 : 1 / 1.15)",
    "filter": """(step) => {
        debatch.app.filter("batch", step % 2 ? null : { off: new Set([step % 50, 3, 4]) });
    }""",
    "search": """(step) => {
        debatch.app.state.search = step % 2 ? "" : `T${step}`;
        debatch.app.change("filter", "style");
    }""",
    "lasso": """(step) => {
        const line = Array.from({ length: 300 }, (_, at) => {
            const [angle, radius] = [(at / 300) * 2 * Math.PI, 0.2 + 0.02 * (step % 10) + 0.05 * Math.sin(at / 5)];
            return [0.5 + radius * Math.cos(angle), 0.5 + radius * Math.sin(angle)];
        });
        debatch.app.gather(debatch.app.scatters[0].within(line), "new");
    }""",
}
# a change and all that the page does about it, in milliseconds, and the time between two frames
TIMED = """async ([change, steps]) => {
    const act = eval(change);
    const [taken, frames] = [[], []];
    for (let step = 0; step < steps; step++) {
        frames.push(await new Promise(requestAnimationFrame));
        const started = performance.now();
        act(step);
        debatch.app.update();
        taken.push(performance.now() - started);
    }
    return [taken, frames.slice(1).map((at, frame) => at - frames[frame])];
}"""


def made_up(images: int) -> tuple[pd.DataFrame, list[Look]]:
    """An index with the batches, plates and classes of RxRx1, and two looks at its embeddings in clusters."""
    generator = np.random.default_rng(0)
    number = np.arange(images)
    experiment = number * EXPERIMENTS // images
    well = number // SITES % WELLS
    index = pd.DataFrame(
        {
            "experiment": [f"E-{at + 1:02d}" for at in experiment],
            "plate": (number // (SITES * WELLS) % PLATES + 1).astype(str),
            "well": [f"{row_letters(2 + at // 22)}{at % 22 + 2:02d}" for at in well],
            "site": (number % SITES + 1).astype(str),
            "cell_type": [f"CELL{at % 4}" for at in experiment],
            "well_type": np.where(well < 30, "positive_control", "treatment"),
            "part": "all",
            "store_row": number,
            "qc_flags": np.where(generator.random(images) < 0.01, "Hoechst: out of focus", ""),
        }
    )
    label = generator.integers(0, CLASSES, images)
    index = index.assign(batch=index["experiment"], label=label, perturbation=[f"T{at}" for at in label])
    index.insert(0, "image_id", [f"I{at}" for at in number])
    guess = np.where(generator.random(images) < 0.7, label, generator.integers(0, CLASSES, images))
    predictions = pd.DataFrame(
        {
            "image_id": index["image_id"],
            "label": index["label"].astype("Int64"),
            "predicted": guess,
            "predicted_well": guess[number - number % SITES],
            "log_probability": np.log(generator.random(images)),
        }
    )
    looks = []
    for name in ("first", "second"):
        centres = generator.normal(0, 10, (EXPERIMENTS, 2))
        points = centres[experiment] + generator.normal(0, 2, (images, 2))
        projected = {"projection": "UMAP", "image_id": index["image_id"], "x": points[:, 0], "y": points[:, 1]}
        looks.append(Look(name, f"Method {name}", pd.DataFrame(projected), predictions))
    return index, looks


def measured(page: Page, address: str, frames: int, times: int) -> dict[str, Any]:
    """First picture, and medians and largest of each measure, in milliseconds."""
    page.add_init_script(FIRST_PICTURE)
    page.goto(address)
    page.wait_for_function("window.firstPicture")
    found: dict[str, Any] = {"first_picture_ms": round(page.evaluate("firstPicture"))}
    for name, change in MEASURES.items():
        taken, apart = page.evaluate(TIMED, [change, frames if name in ("pan", "zoom") else times])
        found[f"{name}_ms"] = {
            "median": round(statistics.median(taken), 1),
            "largest": round(max(taken), 1),
            "between_frames": round(statistics.median(apart), 1),
        }
    return found


def record(browser: Browser, images: int, frames: int, times: int) -> dict[str, Any]:
    """Write a page of so many images, open it, and measure."""
    facts = Facts("made_up", "Made up", True, "", ("image", "images"), (16, 24), [], [])
    with tempfile.TemporaryDirectory() as folder:
        write_page(Path(folder), facts, *made_up(images))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        found = measured(page, f"{Path(folder).as_uri()}/index.html", frames, times)
        page.close()
    return {
        **about("explorer", 1),
        "images": images,
        "chromium": browser.version,
        "load": round(os.getloadavg()[0], 1),
        "folder_mb": round(size / 1e6, 1),
        **found,
    }


def main() -> None:
    """Print one JSON record."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        sys.exit("no Chromium: `make browser` installs it on Debian, as root; elsewhere name one as $CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        found = record(browser, images, FRAMES, TIMES)
        browser.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
