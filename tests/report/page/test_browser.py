"""What the page's script does, in a real browser: it sorts, copies, enlarges and saves."""

import html
import json
import re
import shutil
import subprocess

import pandas as pd
import pytest
from helpers.made_up import made_up_results

from debatch.report.page.html import build_report
from debatch.report.style import new_figure, save_figure

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TRY = """<script>
(async () => {
  const told = {errors: []};
  addEventListener("error", (event) => told.errors.push(event.message));
  const written = [];
  navigator.clipboard.writeText = async (text) => { written.push(text); };
  const table = document.querySelector("#table1 table.data");
  const column = () => [...table.tBodies[0].rows].map((row) => row.cells[1].dataset.value);
  const heading = table.tHead.rows[0].cells[1];
  told.before = column();
  heading.querySelector("button").click();
  told.up = column();
  told.sort = heading.getAttribute("aria-sort");
  heading.querySelector("button").click();
  told.down = column();
  heading.querySelector("button").click();
  told.after = column();
  document.querySelector("#table1 .tools button").click();
  document.querySelector(".command button").click();
  await 0;
  [told.tsv, told.command] = written;
  const figure = document.querySelector("#figure7 figure");
  const [open, save] = figure.querySelectorAll(".tools button");
  open.click();
  told.large = document.getElementById("large").open
    && document.querySelector("#large img").src === figure.querySelector("img").src;
  HTMLAnchorElement.prototype.click = function () { told.saved = [this.download, this.href.slice(0, 18)]; };
  save.click();
  const out = document.createElement("pre");
  out.id = "told";
  out.textContent = JSON.stringify(told);
  document.body.append(out);
})();
</script></body>"""


@pytest.fixture(scope="module")
def told(root, tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed; the page's script is not tried")
    folder = tmp_path_factory.mktemp("page")
    results = made_up_results(root, folder)
    save_figure(new_figure(1, 1), results.files, "figure7", pd.DataFrame({"x": [1]}))
    page = folder / "report.html"
    page.write_text(build_report(results.registry, results.files).replace("</body>", TRY))
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *options, profile, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(html.unescape(re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)[1]))


def test_a_click_on_a_heading_sorts_up_then_down_then_back(told):
    numbers = [float(value) for value in told["before"]]
    assert len(set(numbers)) > 2
    assert [float(value) for value in told["up"]] == sorted(numbers)
    assert told["sort"] == "ascending"
    assert [float(value) for value in told["down"]] == sorted(numbers, reverse=True)
    assert told["after"] == told["before"]
    assert told["errors"] == []


def test_a_copied_table_has_a_column_for_each_number(told):
    lines = [line.split("\t") for line in told["tsv"].rstrip("\n").split("\n")]
    assert lines[0][:4] == [
        "Row", *(f"Accuracy, unseen batches (%){part}" for part in ("", ", low", ", high")),
    ]  # fmt: skip
    assert {len(line) for line in lines} == {len(lines[0])}
    adabn = next(line for line in lines if line[0] == "AdaBN")
    assert adabn[1] == "89.6"
    assert float(adabn[2]) < 89.6 < float(adabn[3])


def test_a_copied_command_is_whole(told):
    assert told["command"].startswith("snakemake --cores all report --config screen=demo results=")


def test_figures_open_large_and_are_saved_as_svg(told):
    assert told["large"] is True
    assert told["saved"] == ["figure7.svg", "data:image/svg+xml"]
