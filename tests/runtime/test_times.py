import json
from pathlib import Path

from debatch.runtime.times import gather_times, read_times

# as Snakemake 9.27 writes it with `benchmark-extended`
SAID = {
    "s": 29.7, "h:m:s": "0:00:29", "max_rss": 292.97, "io_in": 0.8, "jobid": 26, "threads": 2,
    "rule_name": "train", "wildcards": {"method": "adabn", "split": "separated", "seed": "0"},
    "params": {"place": ["results", "tiny"], "recipe": {"backbone": "small_resnet", "epochs": 2}},
    "resources": {"_cores": 1, "gpu": 1, "mem_mb": 1500},
}  # fmt: skip


def benchmark(folder: Path, name: str, **changes) -> Path:
    path = folder / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**SAID, **changes}) + "\n")
    return path


def test_times_are_read_before_and_after_they_are_gathered(tmp_path):
    folder, table = tmp_path / "benchmarks", tmp_path / "times.jsonl"
    benchmark(folder, "train/adabn")
    before = read_times(folder, table)
    gather_times(folder, table)
    assert read_times(folder, table) == before
    (time,) = before
    assert (time.rule, time.wildcards["method"], time.seconds, time.max_rss_mb) == ("train", "adabn", 29.7, 293.0)
    assert (time.threads, time.gpus, time.recipe["epochs"]) == (2, 1, 2)


def test_no_benchmark_stays_to_be_older_than_what_is_copied_here(tmp_path):
    folder, table = tmp_path / "benchmarks", tmp_path / "times.jsonl"
    benchmark(folder, "embed_run/adabn/separated/seed0/train")
    gather_times(folder, table)
    assert list(folder.iterdir()) == []
    benchmark(folder, "train/adabn", max_rss="NA")
    gather_times(folder, table)
    assert [time.max_rss_mb for time in read_times(folder, table)] == [293.0, None]


def test_what_a_job_made_of_a_run_is_kept_without_its_paths(tmp_path):
    products = [[["view", "train", "none"], ["a.parquet"]], [["epochs", "train", "none"], ["b.csv"]]]
    benchmark(tmp_path / "b", "embed_run", rule_name="embed_run_train_epochs", params={"products": products})
    (time,) = read_times(tmp_path / "b", tmp_path / "t")
    assert time.products == [["view", "train", "none"], ["epochs", "train", "none"]]


def test_what_is_half_there_or_says_too_little_is_left_out(tmp_path):
    folder, table = tmp_path / "benchmarks", tmp_path / "times.jsonl"
    benchmark(folder, "whole")
    (folder / "plain.jsonl").write_text('{"s": 1.0, "h:m:s": "0:00:01"}\n')
    gather_times(folder, table)
    with open(table, "a") as lines:
        lines.write('{"rule": "tr')
    assert len(read_times(folder, table)) == 1


def test_screen_that_never_ran_has_no_times(tmp_path):
    gather_times(tmp_path / "nowhere", tmp_path / "times.jsonl")
    assert read_times(tmp_path / "nowhere", tmp_path / "times.jsonl") == []
    assert list(tmp_path.iterdir()) == []
