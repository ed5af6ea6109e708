import json

import pytest
import yaml
from helpers.pricing import DONE, EMBED, HERE, INGESTED, KNOWN, NEW, OLD, PEAKS, TRAIN, TRAINED, pricing

from debatch.cli import main
from debatch.cli.choice import chosen_registry
from debatch.cli.planning.hardware import chosen_hardware
from debatch.cli.planning.rates import ingestion_rate, network_rate
from debatch.config.read import read_yaml, validate
from debatch.config.throughput import Processor, Throughput
from debatch.errors import ConfigError

pytestmark = pytest.mark.usefixtures("empty_folder")


def small(what: str, device: str, rate: float, precision: str = "float32", backbone: str = "small_resnet") -> dict:
    made = {"backbone": backbone, "pixels": 48, "channels": 6, "threads": 1, **DONE}
    return {**made, "what": what, "device": device, "images_per_second": rate, "precision": precision}


def demo_rate(measured: list[dict], here: dict = OLD, device: str | None = None, what: str = "train", **changes):
    """The rate of the demo's baseline on a machine."""
    throughput = validate(Throughput, {**KNOWN, "measured": measured}, "throughput")
    registry = chosen_registry(["screen=demo"])
    recipe = registry.recipes["baseline"].model_copy(update=changes)
    return network_rate(
        throughput, what, recipe, 6, chosen_hardware(throughput, registry, device, Processor(**here)), 1
    )


def test_unknown_hardware_names_what_there_is():
    registry = chosen_registry(["screen=rxrx1"])
    throughput = validate(Throughput, KNOWN, "throughput")
    assert chosen_hardware(throughput, registry, "measured", HERE).name == "MEASURED"
    assert chosen_hardware(throughput, registry, None, HERE).name == "G"
    with pytest.raises(ConfigError, match=r"knows no 'GG'"):
        chosen_hardware(throughput, registry, "GG", HERE)


def test_own_rate_comes_before_that_of_another_generation_of_the_same_name():
    measured = [small("train", "NEW", 1000.0), small("train", "OLD", 300.0)]
    for here, expected in ((OLD, 300.0), (NEW, 1000.0)):
        rate = demo_rate(measured, here)
        assert (rate.images_per_second, rate.basis, rate.elsewhere) == (expected, "measured", None)
        assert "another machine" not in rate.words


def test_own_rate_at_another_size_comes_before_that_of_another_machine():
    own = {**small("train", "OLD", 1200.0), "pixels": 24}
    rate = demo_rate([small("train", "NEW", 1000.0), own])
    assert (rate.images_per_second, rate.basis, rate.elsewhere) == (300.0, "estimate", None)


def test_where_nothing_of_its_own_was_measured_the_most_alike_serves_and_is_said_to_be_another():
    measured = [small("train", device, rate) for device, rate in (("OTHER", 500.0), ("OLD", 300.0), ("NEW", 1000.0))]
    unheard_of = {**NEW, "family": 26, "model": 2}
    rate = demo_rate(measured, unheard_of)
    assert rate.images_per_second == 1000.0
    assert rate.words.startswith("another machine, NEW: EPYC (AMD, family 25, model 17; avx2, avx512f, avx512_bf16)")
    assert rate.elsewhere == Processor(**NEW)
    laptop = {**OLD, "vendor": "INTEL", "family": 6, "model": 158}
    assert demo_rate(measured, laptop).images_per_second == 300.0


def test_hardware_that_is_asked_for_is_priced_by_its_own_rates_alone():
    measured = [small("train", "NEW", 1000.0)]
    asked = demo_rate(measured, OLD, "NEW")
    assert (asked.images_per_second, asked.elsewhere) == (1000.0, Processor(**NEW))
    assert demo_rate(measured, NEW, "OLD").basis == "unknown"


def test_training_is_priced_in_the_arithmetic_that_the_device_takes():
    both = [small("train", "OLD", 300.0), small("train", "OLD", 30.0, "bfloat16")]
    assert demo_rate(both).images_per_second == 300.0
    assert demo_rate(both, precision="bfloat16").images_per_second == 30.0
    assert "in bfloat16" in pricing(device="G").lines(TRAIN)[0].rate.words
    aged = pricing(device="AGED").lines(TRAIN)[0].rate
    assert (aged.basis, "in float32" in aged.words) == ("unknown", True)


def test_rate_of_bfloat16_units_says_nothing_of_a_processor_without_them():
    measured = [small("train", "NEW", 1000.0, "bfloat16")]
    unknown = demo_rate(measured, OLD, precision="bfloat16")
    assert unknown.basis == "unknown"
    assert "in bfloat16 was measured on processors with units for it alone, unlike EPYC" in unknown.words
    assert demo_rate(measured, {**NEW, "model": 18}, precision="bfloat16").images_per_second == 1000.0


def test_why_there_is_no_rate_is_said_and_what_would_give_one():
    nowhere = demo_rate([])
    assert nowhere.words == (
        "training small_resnet in float32 was not measured on any processor; "
        "`python benchmarks/throughput.py train small_resnet 48` measures it where it runs"
    )
    assert "was not measured on EPYC (AMD, family 25, model 1; avx2); " in demo_rate([], device="OLD").words
    gpu = demo_rate([], device="G", backbone="dla34", what="embed").words
    assert gpu.startswith(
        "embedding with dla34 in float32 was not measured on G, nor was its work counted, as `python "
    )
    assert "throughput.py count dla34 48` does; `python benchmarks/throughput.py embed dla34 48` measures" in gpu
    # on a processor no estimate is made of work that is counted
    assert "count" not in nowhere.words


def test_gpu_whose_peak_is_not_known_has_what_was_measured_and_no_estimate():
    gpu = {**PEAKS, "bfloat16_tflops": None, "compute_capability": 8.9}
    known = {**KNOWN, "gpus": {"L": gpu}, "measured": [{**TRAINED, **DONE, "device": "L", "images_per_second": 80.0}]}
    (line,) = pricing(device="L", **known).lines(TRAIN)
    assert line.rate.images_per_second == 80.0
    (line,) = pricing(device="L", **{**known, "measured": []}).lines(TRAIN)
    assert (line.rate.basis, "states no peak in bfloat16 of L" in line.rate.words) == ("unknown", True)


def test_ingestion_is_priced_by_the_processor_most_like_this_one():
    measured = [
        {**INGESTED, **DONE, "device": key, "images_per_second": n} for key, n in (("NEW", 80.0), ("OLD", 40.0))
    ]
    throughput = validate(Throughput, {**KNOWN, "measured": measured}, "throughput")
    registry = chosen_registry(["screen=rxrx1"])
    rates = {
        name: ingestion_rate(throughput, 512, 6, chosen_hardware(throughput, registry, name, HERE), 4)
        for name in ("G", "NEW", "OLD")
    }
    assert {name: rate.images_per_second for name, rate in rates.items()} == {"G": 40.0, "NEW": 80.0, "OLD": 40.0}
    assert (rates["G"].elsewhere, rates["NEW"].elsewhere) == (None, Processor(**NEW))


@pytest.mark.parametrize(("here", "another"), [(OLD, False), (NEW, True)])
def test_plan_says_which_figures_are_of_another_machine(monkeypatch, capsys, root, tmp_path, here, another):
    shared = read_yaml(root / "config/throughput.yaml")
    shared["processors"] = {"mine": OLD}
    shared["measured"] = [small("train", "mine", 300.0), small("embed", "mine", 800.0)]
    (tmp_path / "config").mkdir()
    (tmp_path / "config/throughput.yaml").write_text(yaml.safe_dump(shared))
    monkeypatch.setattr("debatch.cli.plan.dry_run", lambda *_: [*TRAIN, *EMBED])
    monkeypatch.setattr("debatch.cli.plan.this_processor", lambda: Processor(**here))
    assert main(["plan", "table1", "--config", "screen=demo"]) == 0
    said = capsys.readouterr().out
    assert f"(CPU: {Processor(**here).words})" in said
    assert (f"[1]: not measured on this machine, {Processor(**NEW).words}" in said) == another
    assert ("another machine" in said) == another
    assert main(["plan", "table1", "--json", "--config", "screen=demo"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["processor"] == Processor(**here).words
    assert {line["another_machine"] for line in listed["work"]} == {HERE.words if another else None}
