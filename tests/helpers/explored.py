"""A made-up screen in the explorer, and what a reader does there; names would break a careless page."""

import io

import numpy as np
import pandas as pd
from PIL import Image

from debatch.report.explorer.page import Look
from helpers.images import make_index

NAMES = [
    '<img src=x onerror="window.hacked = 1">',
    "</script><script>window.hacked = 1</script>",
    'it\'s "quoted", & so on',
    "__proto__",
]
PLATE = "<b>1'\"</b>"
TITLE = "<i>Screen</i> </title><script>window.hacked = 1</script>"


def made_up() -> tuple[pd.DataFrame, list[Look]]:
    """48 images of two batches, whose points lie left (first batch) and right.

    Every third image is misread, and every fourth well.
    """
    index = make_index(experiments=2, wells=12, sites=2)
    index["perturbation"] = [NAMES[label] for label in index["label"]]
    index["plate"] = PLATE
    index["image_id"] = [
        f"{e}_{PLATE}_{w}_{s}" for e, w, s in zip(index["experiment"], index["well"], index["site"], strict=True)
    ]
    index["qc_flags"] = ["c0: <u>odd</u>" if at == 5 else "" for at in range(len(index))]
    index["<b>note</b>"] = [f"<a href='javascript:window.hacked=1'>{at % 3}</a>" for at in range(len(index))]
    number = np.arange(len(index))
    misread = number % 3 == 0
    predictions = pd.DataFrame(
        {
            "image_id": index["image_id"],
            "label": index["label"],
            "predicted": np.where(misread, (index["label"] + 1) % 4, index["label"]),
            "predicted_well": np.where(number // 2 % 4 == 0, (index["label"] + 2) % 4, index["label"]),
            "log_probability": np.log(np.where(misread, 0.1, 0.9)),
        }
    )
    in_batch = number % 24
    left_and_right = pd.DataFrame(
        {
            "projection": "UMAP",
            "image_id": index["image_id"],
            "x": np.where(number < 24, 0.0, 10.0) + in_batch % 6,
            "y": (in_batch // 6).astype(float),
        }
    )
    mixed = left_and_right.assign(x=number % 7, y=number // 7)
    looks = [
        Look("plain", "Baseline <u>plain</u>", left_and_right, predictions),
        Look("corrected", "Baseline", mixed, predictions, correction="Harmony"),
    ]
    return index, looks


def status(page, words: str) -> None:
    """Wait until the page says so of what is shown and selected."""
    page.wait_for_function("words => document.getElementById('status').textContent.includes(words)", arg=words)


def lasso(page, left: float, right: float, panel: int = 0) -> None:
    """Draw a line around all points between two shares of a panel's width."""
    box = page.locator(f"#marks-{panel}").bounding_box()
    corners = [(left, 0.02), (right, 0.02), (right, 0.98), (left, 0.98), (left, 0.02)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for x, y in places[1:]:
        page.mouse.move(x, y, steps=6)
    page.mouse.up()


def exported(page, which: str = "shown") -> pd.DataFrame:
    """The CSV file of the images that are shown, or of those that are selected."""
    return pd.read_csv(download(page, which).path(), dtype=str)


def download(page, which: str):
    with page.expect_download() as found:
        page.locator(f"#export-{which}").click()
    return found.value


def place_of(page, image: int, panel: int = 0) -> tuple[float, float]:
    """Where a point is on the screen."""
    return page.evaluate(
        """([image, panel]) => {
            const scatter = debatch.app.scatters[panel], view = scatter.overlay.getBoundingClientRect();
            for (let y = 1; y < view.height; y += 2) for (let x = 1; x < view.width; x += 2) {
                if (scatter.nearest(x, y, 2) === image) return [view.left + x, view.top + y];
            }
        }""",
        [image, panel],
    )


def well_at(page, column: int, row: int) -> tuple[float, float]:
    """Where a well of the plate is on the screen, counted from 0."""
    box = page.locator("#plate").bounding_box()
    cell = page.evaluate("(document.getElementById('plate').clientWidth - 26) / 14")
    return box["x"] + 24 + (column + 0.5) * cell, box["y"] + 16 + (row + 0.5) * cell


def picture(page, selector: str) -> np.ndarray:
    """What an element looks like."""
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")).astype(int)
