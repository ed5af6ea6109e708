"""Benchmarks: what their records hold, at a small size; and of those that a GPU is for, at one that needs none."""

import ast
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml
from helpers.browser import chromium

SMALL = ["--backbone", "small_densenet", "--pixels", "32", "--group", "4", "--groups-per-step", "2", "--steps", "1"]


@pytest.fixture
def training_step(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return importlib.import_module("training_step")


def record_of(module, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["training_step.py", *SMALL, "--rounds", "1"])
    module.main()
    return json.loads(capsys.readouterr().out)


def no_compiler(function, **_):
    def called(*_):
        raise RuntimeError("no C++ compiler")

    return called


def test_every_form_of_the_training_step_is_in_the_record_and_agrees(training_step, monkeypatch, capsys):
    monkeypatch.setattr(torch, "compile", no_compiler)
    record = record_of(training_step, monkeypatch, capsys)
    assert record["device"] == "CPU"
    forms = record["forms"]
    assert list(forms) == ["plain", "ours", "ours_compiled", "ours_checkpointed"]
    assert forms.pop("ours_compiled") == {"why": "RuntimeError: no C++ compiler"}
    for form in forms.values():
        assert form["agrees"] is True
        assert form["loss_difference"] <= record["tolerance"]["loss"] < 0.01
        assert form["gradients_difference"] <= record["tolerance"]["gradients"] < 0.1
        assert form["ratio_to_plain"] > 0
        assert form["peak_memory_gb"] is None  # a CPU does not count it
    assert forms["plain"]["ratio_to_plain"] == 1


def test_a_form_that_trains_something_else_is_not_timed(training_step, monkeypatch, capsys):
    """Here one whose flips and turns are not plain's."""
    monkeypatch.setattr(torch, "compile", no_compiler)
    monkeypatch.setattr(training_step, "random_dihedral", lambda images, _: images)
    forms = record_of(training_step, monkeypatch, capsys)["forms"]
    for name in ("ours", "ours_checkpointed"):
        assert forms[name]["agrees"] is False
        assert "images_per_second" not in forms[name]
    assert forms["plain"]["agrees"] is True


def test_whether_the_store_feeds_a_chosen_network_is_asked_of_one_machine(root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    loading = importlib.import_module("loading")
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    size = ["--backbone", "small_resnet", "--pixels", "32", "--group", "4", "--groups-per-step", "2", "--images", "16"]
    monkeypatch.setattr(sys, "argv", ["loading.py", "1", *size])
    loading.main()
    record = json.loads(capsys.readouterr().out)
    assert record["device"] == "CPU"
    rates = (record[f"small_resnet_32px_{way}_images_per_second"] for way in ("stored", "cached"))
    assert record["small_resnet_32px_ratio"] == pytest.approx(next(rates) / next(rates), rel=0.1)


def test_a_step_over_parts_is_held_against_each_part_alone(root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    parts = importlib.import_module("parts")
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    size = ["--backbone", "small_resnet", "--pixels", "32", "--images", "4", "--steps", "1", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["parts.py", "--stems", "hypernet", *size])
    parts.main()
    record = json.loads(capsys.readouterr().out)
    assert record["ratio"] > 0
    assert sum(record["alone"].values()) == pytest.approx(1, abs=0.01)


def test_every_way_to_take_channels_has_its_costs(root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    monkeypatch.setattr(sys, "argv", ["parts.py", "--costs", "--backbone", "small_resnet", "--pixels", "32"])
    importlib.import_module("parts").main()
    found = {record["stem"]: record for record in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["channel_replication"]["learned"] == 0
    assert found["fixed_channels"]["parameters"] > 2.9 * found["slice_param"]["parameters"]
    assert all(set(record["gflop"]) == {"WTC-11", "HPA", "CP"} for record in found.values())
    assert len(found) == 8


def test_a_gpu_that_is_not_there_is_said(root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["loading.py", "--device", "cuda"])
    with pytest.raises(SystemExit):
        importlib.import_module("loading").main()
    assert "torch sees no GPU here" in capsys.readouterr().err


def test_the_explorers_record_has_every_time_that_has_a_bar(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    with chromium() as browser:
        found = importlib.import_module("explorer").record(browser, 2_000, 3, 3)
    assert found["images"] == 2_000
    assert found["first_picture_ms"] > 0
    for change in ("pan", "zoom", "filter", "search", "lasso"):
        times = found[f"{change}_ms"]
        assert 0 < times["median"] <= times["largest"]


@pytest.fixture
def checks(training_step):
    return importlib.import_module("gpu_checks")


@pytest.fixture
def asked(checks, tmp_path):
    return checks.Asked("small_resnet", 32, 4, torch.device("cpu"), tmp_path)


def test_a_resume_that_forgets_something_fails_its_check(checks, asked, monkeypatch):
    checks.break_off(asked)
    restore = checks.Trainer._restore

    def without_momentum(trainer, path):
        begun = restore(trainer, path)
        trainer.optimizer.state.clear()
        return begun

    monkeypatch.setattr(checks.Trainer, "_restore", without_momentum)
    found = checks.resume(asked)
    assert found["passed"] is False
    assert found["shipped"] == {"repeats": True, "resumed_equals": False, "steps_after_the_kill": 2}


def test_a_run_that_trains_anew_is_no_resume(checks, asked):
    """It ends with the same weights."""
    found = checks.resume(asked)
    assert found["passed"] is False
    assert found["deterministic"] == {"repeats": True, "resumed_equals": False, "steps_after_the_kill": 6}


def test_statistics_in_bfloat16_fail_their_check(checks, asked, monkeypatch):
    batch_norm = torch.nn.functional.batch_norm

    def rounded(x, mean, var, *how):
        given = batch_norm(x, mean, var, *how)
        dims = [0, *range(2, x.ndim)]
        true = x.float().mean(dims, keepdim=True)
        if mean is not None:
            mean.copy_(mean.bfloat16())
        return (given + (true - true.bfloat16()) / x.float().std(dims, keepdim=True)).to(given.dtype)

    assert checks.bfloat16_batch_norm(asked)["passed"] is True
    monkeypatch.setattr(torch.nn.functional, "batch_norm", rounded)
    found = checks.bfloat16_batch_norm(asked)
    assert found["passed"] is False
    assert found["taken"]["means"] > found["tolerance"]["taken"]
    assert found["planted"]["means"] > found["tolerance"]["planted"]


@pytest.mark.parametrize("off", [0.0, 0.01, float("nan")])
def test_statistics_that_are_off_or_no_numbers_fail_their_check(checks, off):
    right = [(torch.zeros(3), torch.ones(3)), (torch.ones(2), torch.ones(2))]
    found = [right[0], (right[1][0] + torch.tensor([0.0, off]), right[1][1])]
    assert checks.judged({"without_tf32": checks.differences(found, right)})["passed"] is (off == 0)


@pytest.fixture
def views(training_step, monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    return importlib.import_module("views")


def views_record(views, monkeypatch, capsys):
    size = ["--backbone", "small_resnet", "--stored", "64", "--pixels", "32", "--images", "4", "--images-read", "16"]
    monkeypatch.setattr(sys, "argv", ["views.py", *size, "--rounds", "1"])
    views.main()
    return json.loads(capsys.readouterr().out)


def test_the_parts_of_a_self_supervised_step_are_all_of_it_and_partners_double_what_is_read(views, monkeypatch, capsys):
    record = views_record(views, monkeypatch, capsys)
    assert record["device"] == "CPU"
    parts = {name: share for name, share in record["shares"].items() if name != "step_seconds"}
    assert list(parts) == ["views", "history", "network", "followers", "rest"]
    assert sum(parts.values()) == pytest.approx(1, abs=0.001)
    assert all(share >= 0 for share in parts.values())
    assert parts["rest"] < 0.5
    assert record["crops"]["torchvision"]["ratio_to_ours"] > 0
    assert (record["reads"]["images_read_alone"], record["reads"]["images_read_with_partners"]) == (1.0, 2.0)


def test_a_library_that_is_not_there_is_said_and_the_rest_is_measured(views, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "kornia", None)
    crops = views_record(views, monkeypatch, capsys)["crops"]
    assert crops["kornia"]["why"].startswith("not measured: ")
    assert crops["torchvision"]["ratio_to_ours"] > 0


STAND_IN = r"""#!/bin/bash
case $1 in
    -) [ -z "$MISSING" ] || { echo "not to be imported here: $MISSING" >&2; exit 1; }; echo "Python, torch, a GPU" ;;
    *throughput.py) echo "- {what: $2, backbone: $3, pixels: $4}" ;;
    *) echo "{\"script\": \"${1##*/}\"}" ;;
esac
[[ $1 != *$HANGS ]] || sleep 3600
[[ $1 != *$FAILS ]] || { echo "said why" >&2; exit 1; }
"""


@pytest.fixture
def gpu_script(root, tmp_path):
    """Starts the script, with a stand-in for Python that does as it is told: its process, and its records' folder."""
    stand_in, out = tmp_path / "python", tmp_path / "out"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)

    def start(*options, python=stand_in, **told):
        settings = {**os.environ, "HANGS": "nothing", "FAILS": "nothing", "MISSING": "", **told}
        environment = {**settings, "PYTHON": str(python), "OUT": str(out)}
        command = [root / "benchmarks/gpu.sh", *options]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True), out

    return start


def records(out):
    lines = (out / "records.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], yaml.safe_load((out / "throughput.yaml").read_text())


def test_the_gpu_script_leaves_every_record_at_a_size_for_a_cpu(gpu_script):
    process, out = gpu_script("--small", python=sys.executable)
    shown, _ = process.communicate()
    assert process.returncode == 0, shown
    found, rates = records(out)
    assert [record["benchmark"] for record in found] == [*["gpu_checks"] * 3, "training_step", "loading"]
    assert {record["check"]: record["passed"] for record in found[:3]} == {
        "resume": True,
        "population_statistics": True,
        "bfloat16_batch_norm": True,
    }
    assert found[0]["shipped"] == {"repeats": True, "resumed_equals": True, "steps_after_the_kill": 2}
    assert found[2]["layers_given_bfloat16"] == found[2]["layers"] == 12
    assert all(form["images_per_second"] > 0 for form in found[3]["forms"].values())
    assert [(rate["what"], rate["backbone"]) for rate in rates] == [(w, "small_densenet") for w in ("train", "embed")]
    assert sorted(path.name for path in out.iterdir()) == ["log.txt", "records.jsonl", "summary.txt", "throughput.yaml"]


def test_the_gpu_script_measures_the_papers_training_first_and_asks_for_eight_minutes_at_most(gpu_script):
    process, out = gpu_script()
    shown, _ = process.communicate()
    assert process.returncode == 0, shown
    found, rates = records(out)
    step, networks = "training_step.py", [("densenet161", 512), ("densenet121", 512), ("resnet50", 224)]
    networks += [("deit_small_patch16_224", 224), ("convnext_tiny", 224)]
    assert [record["script"] for record in found] == ["gpu_checks.py", step, "loading.py", step, step]
    assert [(rate["what"], rate["backbone"], rate["pixels"]) for rate in rates] == [
        (what, *network) for network in networks for what in ("train", "embed")
    ]
    begun = [line for line in (out / "summary.txt").read_text().splitlines() if line.startswith("begun")]
    assert [line.split(": ")[1].split()[0] for line in begun[:3]] == ["gpu_checks.py", step, "throughput.py"]
    for line in begun:
        at, limit = re.match(r"begun at (\d+) s, at most (\d+) s:", line).groups()
        assert int(at) + int(limit) <= 480


def test_a_gpu_script_that_is_cut_off_leaves_what_it_had(gpu_script):
    process, out = gpu_script(HANGS="loading.py")
    deadline = time.monotonic() + 1800
    while not (out / "records.jsonl").exists() or "loading.py" not in (out / "records.jsonl").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    shown, _ = process.communicate()  # it ends once nothing holds its output: the step has ended too
    assert process.returncode == 2
    assert "cut off after" in shown
    found, rates = records(out)
    assert [record["script"] for record in found] == ["gpu_checks.py", "training_step.py", "loading.py"]
    assert [rate["what"] for rate in rates] == ["train", "embed"]
    summary = (out / "summary.txt").read_text()
    assert summary.count("  done in") == 4
    assert summary.count("begun at") == 5


@pytest.mark.parametrize(
    ("script", "status", "last"), [("gpu_checks.py", 1, "A CHECK FAILED"), ("loading.py", 2, "FAILED with 1")]
)
def test_what_fails_is_said_and_the_gpu_script_goes_on(gpu_script, script, status, last):
    process, out = gpu_script(FAILS=script)
    shown, _ = process.communicate()
    assert process.returncode == status
    assert "FAILED with 1 after" in shown
    assert "said why" in shown
    assert last in (out / "summary.txt").read_text()
    found, rates = records(out)
    assert (len(found), len(rates)) == (5, 10)


def test_a_package_that_is_missing_is_named_before_anything_runs(gpu_script):
    process, out = gpu_script(MISSING="zarr")
    shown, _ = process.communicate()
    assert process.returncode == 3
    assert "not to be imported here: zarr" in shown
    assert not (out / "records.jsonl").exists()


def imported_at_the_start(root, scripts):
    """Names of the packages that scripts import, and the modules of debatch that these import, of others."""
    waiting, seen, others = [root / "benchmarks" / f"{name}.py" for name in scripts], set(), set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        names = set()
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        for name in names:
            top, *rest = name.split(".")
            if top == "debatch":
                below = [root / "src/debatch" / "/".join(rest[:depth]) for depth in range(len(rest) + 1)]
                waiting += [file for at in below for file in (at / "__init__.py", at.with_suffix(".py"))]
            elif (root / "benchmarks" / f"{top}.py").exists():
                waiting.append(root / "benchmarks" / f"{top}.py")
            elif top not in sys.stdlib_module_names:
                others.add(top)
    return others


def test_the_gpu_script_names_every_package_that_its_steps_import(root):
    named = set((root / "benchmarks/gpu.sh").read_text().partition('NEEDS="')[2].partition('"')[0].split())
    needed = imported_at_the_start(root, ["gpu_checks", "training_step", "loading", "throughput"])
    assert {"tensorstore", "cv2", "pydantic"} <= needed
    assert "imagecodecs" not in needed
    # what stores are written with is imported where one is written
    assert needed | {"zarr"} <= named | {"torch"}
