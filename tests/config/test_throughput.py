import pytest

from debatch.config.read import read_yaml, validate
from debatch.config.throughput import Throughput, read_throughput
from debatch.errors import ConfigError


@pytest.fixture(scope="module")
def shipped(root) -> Throughput:
    return read_throughput(root)


def test_every_figure_is_measured_by_a_script_that_is_there_or_says_what_it_assumes(shipped, root):
    for entry in (*shipped.measured, *shipped.networks, *shipped.codecs):
        assert (root / entry.script).is_file()
    assert all("not measured" in estimate.assumption for estimate in shipped.estimates)
    assert all("data sheet" in gpu.source for gpu in shipped.gpus.values())


def test_nothing_is_called_measured_on_a_gpu(shipped):
    # nobody has run the benchmark on one yet; whoever does replaces this test by the entry
    assert not {entry.device for entry in shipped.measured} & set(shipped.gpus)


def test_own_copy_in_the_working_directory_counts(shipped, root, tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    text = (root / "config/throughput.yaml").read_text().replace("H100:", "MYGPU:", 1)
    (tmp_path / "config/throughput.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert next(iter(read_throughput(root).gpus)) == "MYGPU"
    assert next(iter(shipped.gpus)) != "MYGPU"


def test_wrong_key_is_named(root):
    data = read_yaml(root / "config/throughput.yaml")
    data["measured"][0]["images_per_secnod"] = 1.0
    with pytest.raises(ConfigError, match=r"unknown key `measured\.0\.images_per_secnod`"):
        validate(Throughput, data, "throughput.yaml")


def test_network_of_the_nearest_size_is_taken_and_an_uncounted_one_is_not_made_up(shipped):
    assert shipped.network("small_resnet", 40, 6).pixels == 32
    assert shipped.network("convnext_tiny", 512, 6) is None
    dense, residual = (shipped.estimate("train", name, "bfloat16") for name in ("densenet161", "resnet50"))
    assert dense.share_of_peak < residual.share_of_peak


@pytest.mark.parametrize("what", ["train", "embed"])
def test_every_arithmetic_that_a_gpu_can_be_asked_for_has_an_assumption(shipped, what):
    for precision in ("float32", "bfloat16") if what == "train" else ("float32",):
        assert shipped.estimate(what, "convnext_tiny", precision).precision == precision


def test_gpus_say_what_training_takes_on_them_by_default(shipped):
    assert {name: gpu.arithmetic("auto") for name, gpu in shipped.gpus.items()} == dict.fromkeys(
        ("H100", "H200", "A100"), "bfloat16"
    )
    older = shipped.gpus["A100"].model_copy(update={"compute_capability": 7.5})
    assert (older.arithmetic("auto"), older.arithmetic("bfloat16")) == ("float32", "bfloat16")


def test_file_that_tells_processors_by_their_names_gets_an_error_that_says_what_to_write(root):
    data = read_yaml(root / "config/throughput.yaml")
    data.pop("processors")
    for gpu in data["gpus"].values():
        gpu.pop("compute_capability")
    data["measured"][0]["device"] = "AMD EPYC"
    with pytest.raises(ConfigError) as error:
        validate(Throughput, data, "throughput.yaml")
    for told in ("`python benchmarks/throughput.py processor`", "`processors`", "`compute_capability`"):
        assert told in str(error.value)


def test_entry_of_unknown_hardware_is_named_with_the_nearest_key(root):
    data = read_yaml(root / "config/throughput.yaml")
    data["measured"][1]["device"] = "amd_epyc_25_1_avx3"
    with pytest.raises(
        ConfigError, match=r"measured\.1\.device.*did you mean 'amd_epyc_25_1_avx2'.*throughput\.py processor"
    ):
        validate(Throughput, data, "throughput.yaml")
    data = read_yaml(root / "config/throughput.yaml")
    data["processors"]["h100"] = data["processors"]["amd_epyc_25_1_avx2"]
    with pytest.raises(ConfigError, match=r"'h100' is a GPU's key too"):
        validate(Throughput, data, "throughput.yaml")
