"""The benchmarks that wait for a GPU: what their records hold, at a size that needs none."""

import importlib
import json
import sys

import pytest
import torch

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


def test_a_gpu_that_is_not_there_is_said(root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["loading.py", "--device", "cuda"])
    with pytest.raises(SystemExit):
        importlib.import_module("loading").main()
    assert "torch sees no GPU here" in capsys.readouterr().err
