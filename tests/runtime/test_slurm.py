"""What SLURM is asked, held against commands that answer as SLURM does (22.05); `make test-slurm` asks a real one."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from debatch.errors import UserError
from debatch.runtime.slurm import demand, duration, refuse_impossible, seconds_left

SBATCH = """
case "$*" in
*--partition=nope*) echo "sbatch: error: invalid partition specified: nope" >&2
    echo "allocation failure: Invalid partition name specified" >&2; exit 1;;
*--gpus=99*) echo "allocation failure: Requested node configuration is not available" >&2; exit 1;;
*) echo "sbatch: Job 5 to start at 2026-11-21T18:13:08 using 1 processors on nodes vm in partition gpu" >&2;;
esac
"""
COMMANDS = {
    "sbatch": SBATCH,
    "sinfo": 'case "$*" in *%l*) echo 1-00:00:00;; *%R*) echo cpu; echo gpu;; *%G*) echo "gpu:a100:4(S:0-1)";; esac',
    "sacctmgr": "echo lab; echo other",
    "squeue": 'case "$*" in *=7*) echo 6 0:10; echo 7 1-02:30:00;; *=8*) echo 8 UNLIMITED;; *) exit 1;; esac',
}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A PATH on which SLURM's commands are; each writes down how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in COMMANDS.items():
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\n{body}\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return tmp_path


def test_what_the_cluster_would_not_take_is_named_with_its_reason(cluster):
    jobs = [
        demand("train", 8, {"slurm_partition": "nope", "gpu": 1, "runtime": 30, "mem_mb": 4000}),
        demand("embed_run", 8, {"slurm_partition": "gpu", "gpu": 99, "runtime": 30, "mem_mb": 4000}),
        demand("index", 1, {"slurm_partition": "cpu", "runtime": 1441, "mem_mb": 4000}),
        demand("split", 1, {"slurm_account": "nobody", "runtime": 10}),
        demand("evaluate", 1, {"slurm_account": "LAB", "runtime": 10}),
    ]
    with pytest.raises(UserError) as error:
        refuse_impossible(jobs, "the profile")
    said = str(error.value)
    assert "nothing was submitted" in said
    assert "train: Invalid partition name specified (asked for --partition=nope --time=30 --mem=4000" in said
    assert "embed_run: Requested node configuration is not available" in said
    assert "index: 1441 minutes are more than the partition's limit of 1440" in said
    assert "split: account 'nobody' is not among yours: lab, other" in said
    assert "evaluate" not in said


def test_each_kind_of_job_is_asked_for_once(cluster):
    refuse_impossible([demand(f"rule{n}", 1, {"mem_mb": 1000, "runtime": 10}) for n in range(20)], "the profile")
    calls = (cluster / "calls").read_text().splitlines()
    assert [call for call in calls if call.startswith("sbatch")] == [
        "sbatch --test-only --time=10 --mem=1000 --cpus-per-task=1 --wrap=true"
    ]


def test_gpu_model_and_site_facts_are_asked_for():
    asked = demand("train", 4, {"gpu": 2, "gpu_model": "a100", "qos": "long", "constraint": "nvlink"}).options
    assert {"--gpus=a100:2", "--qos=long", "--constraint=nvlink", "--cpus-per-task=4"} == set(asked)


def test_a_gpu_model_that_the_plugin_would_refuse_later_is_refused_now(cluster):
    with pytest.raises(UserError, match="takes no GPU model like 'nvidia-h200', with a hyphen: leave `gpu_model` out"):
        refuse_impossible([demand("train", 4, {"gpu": 1, "gpu_model": "nvidia-h200"})], "the profile")
    refuse_impossible([demand("train", 4, {"gpu": 1, "gpu_model": "a100"})], "the profile")


def test_a_controller_that_does_not_answer_refuses_nothing(cluster):
    (cluster / "bin/sbatch").write_text(
        "#!/bin/sh\necho 'sbatch: error: Unable to contact slurm controller (connect failure)' >&2; exit 1\n"
    )
    refuse_impossible([demand("train", 1, {"runtime": 10})], "the profile")


def test_a_machine_without_slurm_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="there is no `sbatch` on PATH: call snakemake on a login node"):
        refuse_impossible([], "the profile")


def test_time_left_of_a_job(cluster):
    assert seconds_left("7") == (26 * 60 + 30) * 60
    assert seconds_left("8") is None
    assert seconds_left("9") is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1-12:00:00", 129600), ("2:30:00", 9000), ("0:52", 52), ("59", 59), ("infinite", None), ("INVALID", None)],
)
def test_durations_as_slurm_writes_them(text, seconds):
    assert duration(text) == seconds


def install_profile(root: Path, home: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [root / "profiles/install-slurm-profile", *words],
        env={"HOME": str(home), "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_profile_holds_the_site_and_everything_of_the_default_profile(root, cluster, tmp_path):
    done = install_profile(root, tmp_path, "lab", "cpu", "gpu", "a100")
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((tmp_path / ".config/snakemake/slurm/config.yaml").read_text())
    assert written["executor"] == "slurm"
    assert written["default-resources"] == {"slurm_account": "lab", "slurm_partition": "cpu"}
    # by rule: forms such as `embed_run_train` get what `embed_run` does
    gpu = {"slurm_partition": "gpu", "gpu_model": "a100"}
    assert written["set-resources"] == dict.fromkeys(["train", "embed_run", "embed_adaptation", "embed_screen"], gpu)
    default = yaml.safe_load((root / "profiles/default/config.yaml").read_text())
    assert default.items() <= written.items()


def test_profile_of_a_site_that_needs_neither_is_the_shipped_one(root, tmp_path):
    assert install_profile(root, tmp_path).returncode == 0
    shipped = (root / "profiles/slurm/config.yaml").read_text()
    assert (tmp_path / ".config/snakemake/slurm/config.yaml").read_text() == shipped


def test_profile_where_sinfo_reaches_no_cluster_is_written_unchecked(root, cluster, tmp_path):
    (cluster / "bin/sinfo").write_text("#!/bin/sh\necho 'sinfo: fatal: no configuration source' >&2; exit 1\n")
    done = install_profile(root, tmp_path, "lab", "gpx")
    assert done.returncode == 0, done.stderr
    assert "sinfo: fatal: no configuration source" in done.stderr
    assert "sinfo reaches no cluster (its words stand above), so partitions were not checked" in done.stderr
    assert "slurm_partition: gpx" in (tmp_path / ".config/snakemake/slurm/config.yaml").read_text()


def test_profile_is_never_overwritten(root, tmp_path):
    folder = tmp_path / ".config/snakemake/slurm"
    folder.mkdir(parents=True)
    (folder / "config.v8+.yaml").write_text("jobs: 3\n")
    done = install_profile(root, tmp_path, "lab")
    assert done.returncode != 0
    assert "is there already and stays as it is" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["config.v8+.yaml"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("lab", "cpu", "gpx"), "this cluster has no partition 'gpx'; it has: cpu gpu"),
        (("lab", "cpu", "gpu", "h100"), "that partition has no GPU model 'h100'; it has: a100"),
        (("lab", "cpu", "gpu", "nvidia-h200"), "takes no GPU model with a hyphen"),
        (("lab; rm -rf",), "is no name of an account"),
        (("labb",), "account 'labb' is not among yours: lab other"),
    ],
)
def test_profile_that_could_not_work_is_not_written(root, cluster, tmp_path, words, reason):
    done = install_profile(root, tmp_path, *words)
    assert done.returncode != 0
    assert reason in done.stderr
    assert not (tmp_path / ".config").exists()


def test_profile_where_home_is_no_folder_says_what_to_do(root, tmp_path):
    (tmp_path / "home").write_text("")
    done = install_profile(root, tmp_path / "home", "lab")
    assert done.returncode != 0
    assert "cannot be written; set XDG_CONFIG_HOME" in done.stderr
