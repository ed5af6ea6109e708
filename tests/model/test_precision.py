import logging

import pytest
import torch

from debatch.config.read import validate
from debatch.config.recipe import Recipe
from debatch.errors import ConfigError
from debatch.model.precision import arithmetic
from debatch.runtime import processor

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with a processor and a GPU of one's choice."""

    def made(sets="flags\t\t: fpu avx2", capability=(9, 0)):
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{sets}\n\nprocessor\t: 1\n{sets}\n")
        monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    return made


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((12, 0), "bfloat16")])
def test_auto_takes_what_a_gpu_computes_in_hardware(machine, capability, expected):
    machine(capability=capability)
    assert arithmetic("auto", GPU) == expected


@pytest.mark.parametrize(
    "sets", ["flags : avx2", "flags : avx512f avx512_bf16 amx_bf16", "Features : asimd bf16", "other : x"]
)
def test_auto_is_float32_on_every_processor(machine, sets):
    machine(sets)
    assert arithmetic("auto", CPU) == "float32"


@pytest.mark.parametrize(("asked", "device"), [("bfloat16", GPU), ("float32", GPU), ("float32", CPU)])
def test_what_is_asked_for_is_taken_without_a_word_where_it_is_no_harm(machine, caplog, asked, device):
    machine()
    assert arithmetic(asked, device) == asked
    assert not caplog.records


@pytest.mark.parametrize("sets", ["flags : avx2 avx512_bf16", "Features : asimd bf16"])
def test_bfloat16_is_no_harm_on_a_processor_with_units(machine, caplog, sets):
    machine(sets)
    assert arithmetic("bfloat16", CPU) == "bfloat16"
    assert not caplog.records


@pytest.mark.parametrize(
    ("device", "capability", "what"), [(CPU, (9, 0), "a processor without units"), (GPU, (7, 0), "a GPU without units")]
)
def test_bfloat16_without_units_is_taken_and_warned_of_with_the_factor(machine, caplog, device, capability, what):
    machine(capability=capability)
    with caplog.at_level(logging.WARNING):
        assert arithmetic("bfloat16", device) == "bfloat16"
    (record,) = caplog.records
    assert what in record.message
    assert "about ten times slower" in record.message


@pytest.mark.parametrize(
    ("word", "nearest"),
    [("half", "bfloat16"), ("bf16", "bfloat16"), (16, "bfloat16"), ("fp32", "float32"), ("bfloat", "bfloat16")],
)
def test_an_unknown_precision_names_the_nearest(word, nearest):
    with pytest.raises(ConfigError, match=f"`precision`: {word!r} is not one of .*did you mean '{nearest}'"):
        validate(Recipe, {"precision": word}, "training")


def test_the_machine_that_this_runs_on_can_be_read():
    assert arithmetic("auto", CPU) == "float32"
    assert arithmetic("bfloat16", CPU) == "bfloat16"
