"""What `snakemake --logger debatch` tells a person, from made-up events."""

import importlib
import io
import logging
import os
import re
from collections import Counter
from types import SimpleNamespace

import pytest
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.tests import MockOutputSettings

from debatch.errors import UserError
from snakemake_logger_plugin_debatch import LogHandler, job_log
from snakemake_logger_plugin_debatch.events import Reporter
from snakemake_logger_plugin_debatch.plain import Lines
from snakemake_logger_plugin_debatch.words import duration, time_left, words
from snakemake_logger_plugin_debatch.work import Job, Work

TRAINING = {"method": "gradient_reversal", "split": "separated", "seed": "0"}


def job(rule="ingest_experiment", started=0.0, wildcards=None, log=()):
    return Job(rule, wildcards or {}, log, makes_files=True, started=started)


def work(**jobs):
    return Work(Counter(jobs), started=0.0)


def done(made, rule, times):
    """Jobs of a rule that begin and end at these times."""
    for at, (begin, end) in enumerate(times):
        made.start(at, job(rule, begin))
        made.finish(at, end)


@pytest.mark.parametrize(
    ("rule", "wildcards", "told"),
    [
        ("train", TRAINING, "training gradient reversal for unseen batches, seed 0"),
        ("split", {"split": "stratified"}, "choosing images for seen batches"),
        ("split", {"split": "few_U2OS_3"}, "choosing images for few U2OS 3"),
        ("ingest_experiment", {"experiment": "HUVEC-01"}, "reading images of HUVEC-01"),
        ("correct_run_batch_scores", {"run": "adabn/separated/seed1", "inference": "batch", "correction": "harmony"},
         "correcting adabn for unseen batches, seed 1, batch statistics, harmony"),
        ("cosine_similarities_of", {"run": "external/cellprofiler", "inference": "profiles", "corrected": ".combat"},
         "cosine similarities of external/cellprofiler, profiles, combat"),
        ("score_run", {**TRAINING, "corrected": ""}, "scoring gradient reversal for unseen batches, seed 0"),
        ("make_report", {}, "writing the report"),
        ("a_rule_of_tomorrow", {"method": "adabn", "part": "HPA"}, "a rule of tomorrow adabn, HPA"),
    ],
)  # fmt: skip
def test_a_job_is_told_in_words(rule, wildcards, told):
    assert words(rule, wildcards) == told


def test_every_rule_of_the_workflow_has_words(root):
    rules = re.findall(
        r"^ *rule (\w+):", "\n".join(p.read_text() for p in root.glob("workflow/rules/*.smk")), re.MULTILINE
    )
    assert len(rules) > 20
    for rule in rules:
        assert "_" not in words(rule, {"method": "adabn", "split": "separated", "seed": "0"})


def test_durations_and_estimates_are_as_fine_as_they_can_be():
    assert [duration(s) for s in (0.2, 59.6, 60, 190, 7500, 100_000)] == [
        "0 s", "1 min", "1 min", "3 min 10 s", "2 h 5 min", "1 d 3 h",
    ]  # fmt: skip
    assert [time_left(s) for s in (None, 4, 44, 94, 96, 400, 5300, 5500, 200_000)] == [
        "", "a few seconds left", "about 40 s left", "about 90 s left", "about 2 min left", "about 7 min left",
        "about 88 min left", "about 2 h left", "about 2 days left",
    ]  # fmt: skip


def test_time_left_comes_from_the_jobs_that_ended():
    made = work(ingest_experiment=12)
    done(made, "ingest_experiment", [(0, 10), (0, 10)])
    assert made.seconds_left(10) is None  # two jobs are no basis
    made.start(3, job(started=10))
    made.start(4, job(started=10))
    made.finish(3, 20)
    made.finish(4, 20)
    assert made.seconds_left(20) == pytest.approx(8 * 10 / 2)  # two at once
    assert made.share(20) == pytest.approx(4 / 12)


def test_no_time_left_before_a_training_has_said_anything(tmp_path):
    made = work(ingest_experiment=4, train=3, make_report=1)
    done(made, "ingest_experiment", [(0, 5), (5, 10), (10, 15), (15, 20)])
    assert made.seconds_left(20) is None
    log = tmp_path / "train.log"
    made.start(9, job("train", 20.0, log=(str(log),)))
    assert made.seconds_left(30) is None
    log.write_text("07:49:06 adabn/stratified/seed0: epoch 2/10  loss 1.851\n")
    os.utime(log, (15, 15))
    assert made.seconds_left(30) is None  # of an attempt before
    os.utime(log, (30, 30))
    # ten seconds for two of ten epochs: 40 of this one, 50 of each of two more, and one job of a kind not seen
    assert made.seconds_left(30) == pytest.approx(40 + 2 * 50 + 5)
    assert str(made.progress(made.running[9])) == "epoch 3 of 10"
    made.finish(9, 70)
    # a training counts as ten others: 70 seconds for 14 of them
    assert made.seconds_left(70) == pytest.approx(2 * 50 + 5)


def test_a_job_that_takes_longer_than_others_is_not_said_to_be_over():
    made = work(qc=4)
    done(made, "qc", [(0, 10), (10, 20), (20, 30)])
    made.start(5, job("qc", 30))
    assert made.seconds_left(130) == pytest.approx(10)


def test_nothing_is_said_of_time_on_a_cluster(tmp_path):
    made = work(ingest_experiment=9)
    made.on_cluster = True
    done(made, "ingest_experiment", [(0, 10)] * 5)
    assert made.seconds_left(50) is None


def test_a_log_that_is_not_there_says_nothing(tmp_path):
    assert job_log.progress([str(tmp_path / "none.log")], 0) is None
    assert job_log.last_lines(str(tmp_path / "none.log"), 5) == []
    (tmp_path / "long.log").write_text("x" * 50_000 + "\nError: the disk is full\n")
    assert job_log.last_lines(str(tmp_path / "long.log"), 1) == ["Error: the disk is full"]


class Call:
    """A call of Snakemake, as its records reach the plugin."""

    def __init__(self, show_failed_logs=True):
        self.stream = io.StringIO()
        self.reporter = Reporter(Lines(self.stream), show_failed_logs)

    def record(self, event=None, text="", level=logging.INFO, at=0.0, **more):
        record = logging.makeLogRecord(
            {"msg": text, "levelno": level, "created": at, **({"event": event} if event else {}), **more}
        )
        self.reporter.handle(record)

    def begins(self, **jobs):
        self.record(LogEvent.RUN_INFO, stats={**jobs, "total": sum(jobs.values())})

    def starts(self, jobid, rule, at=0.0, **wildcards):
        log = wildcards.pop("log", [])
        self.record(LogEvent.JOB_INFO, jobid=jobid, rule_name=rule, wildcards=wildcards, log=log, output=["x"], at=at)

    def told(self):
        self.reporter.close()
        self.reporter.close()
        assert "\x1b" not in self.stream.getvalue()
        return self.stream.getvalue().splitlines()


def test_piped_output_has_a_line_a_finished_job():
    call = Call()
    call.record(text="Building DAG of jobs...")
    call.begins(ingest_experiment=2, all=1)
    call.record(LogEvent.JOB_STARTED, text="Execute 1 jobs...", jobs=[1])
    call.starts(1, "ingest_experiment", experiment="A-1")
    call.starts(2, "ingest_experiment", experiment="A-2")
    call.record(LogEvent.JOB_FINISHED, job_id=1, at=4)
    call.record(LogEvent.PROGRESS, text="None", done=1, total=3)
    call.record(LogEvent.JOB_FINISHED, job_id=2, at=70)
    call.record(LogEvent.JOB_INFO, jobid=0, rule_name="all", wildcards={}, log=[], output=[], at=70)
    call.record(LogEvent.JOB_FINISHED, job_id=0, at=70)
    call.record(text="Complete log(s): " + os.path.abspath(".snakemake/log/now.log"))
    *lines, last = call.told()
    assert lines == [
        "3 jobs to do", "1 of 3: reading images of A-1, 4 s", "2 of 3: reading images of A-2, 1 min 10 s",
    ]  # fmt: skip
    assert last.startswith("3 jobs done in ")
    assert last.endswith("; log: .snakemake/log/now.log")


def test_a_failed_job_is_told_with_the_end_of_its_log(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("".join(f"07:49:{at:02d} line {at}\n" for at in range(59)) + "07:50:00 Error: the disk is full\n")
    call = Call()
    call.begins(train=1, make_table=2)
    call.starts(1, "train", **TRAINING)
    call.record(
        LogEvent.ERROR, "RuleException:\nCommand 'python x' returned non-zero exit status 1.", level=logging.ERROR
    )
    call.record(LogEvent.JOB_ERROR, jobid=1, rule_name="train", rule_msg=None, log=[str(log)], level=logging.ERROR)
    call.record(LogEvent.ERROR, "WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    lines = call.told()
    assert lines[1] == "Failed: training gradient reversal for unseen batches, seed 0"
    assert len(lines) == 1 + 1 + 20 + 1 + 1
    assert lines[-3] == "    07:50:00 Error: the disk is full"
    assert lines[-2] == f"  Its log: {log}"
    assert lines[-1] == "1 of 3 jobs failed, 2 more were not begun"


def test_a_job_that_was_killed_is_told_by_what(tmp_path):
    call = Call()
    call.begins(train=1)
    call.starts(1, "train", **TRAINING)
    call.record(LogEvent.ERROR, "Command 'python x' died with <Signals.SIGKILL: 9>.", level=logging.ERROR)
    assert "Command 'python x' died with <Signals.SIGKILL: 9>." in call.told()


def test_a_job_that_went_well_at_its_second_attempt_has_not_failed():
    call = Call(show_failed_logs=False)
    call.begins(train=1)
    call.starts(1, "train", **TRAINING)
    call.record(LogEvent.JOB_ERROR, jobid=1, rule_name="train", rule_msg="SLURM: TIMEOUT", level=logging.ERROR)
    call.starts(1, "train", **TRAINING)
    call.record(LogEvent.JOB_FINISHED, job_id=1, at=5)
    lines = call.told()
    assert lines[2] == "  SLURM: TIMEOUT"
    assert lines[-1].startswith("1 jobs done")


def test_stopped_by_its_user_it_says_how_to_go_on_and_nothing_of_the_ended_jobs():
    call = Call()
    call.begins(train=2)
    call.starts(1, "train", **TRAINING)
    call.record(text="Terminating processes on user request, this might take some time.")
    call.record(LogEvent.ERROR, "died with <Signals.SIGINT: 2>", level=logging.ERROR)
    call.record(LogEvent.JOB_ERROR, jobid=1, rule_name="train", rule_msg=None, level=logging.ERROR)
    assert call.told()[1:] == [
        "Stopping: the running jobs are ended",
        "Stopped: 0 of 2 jobs are done; the same command goes on from there",
    ]


def test_calls_that_run_nothing_say_what_snakemake_says():
    call = Call()
    call.record(text="Building DAG of jobs...")
    call.record(text="Nothing to be done (all requested files are present and up to date).")
    assert call.told() == ["Nothing to be done (all requested files are present and up to date)."]
    call = Call()
    call.record(text="Unlocking working directory.")
    assert call.told() == ["Unlocking working directory."]
    call = Call()
    call.record(text="Building DAG of jobs...")
    call.record(LogEvent.ERROR, "config.yaml: no key 'sceen'", level=logging.ERROR)
    assert call.told() == ["config.yaml: no key 'sceen'"]


def test_warnings_are_told_and_the_rest_is_not():
    call = Call()
    call.begins(train=1)
    call.record(text="Select jobs to execute...")
    call.record(text="a clock was wrong", level=logging.WARNING)
    assert call.told()[1] == "a clock was wrong"


@pytest.mark.parametrize(("asked", "value"), [("dryrun", True), ("verbose", True), ("quiet", {Quietness.ALL})])
def test_a_dry_run_is_told_in_snakemakes_own_words(asked, value, capsys, monkeypatch):
    monkeypatch.delenv("DEBATCH_ON_TERMINAL", raising=False)
    settings = MockOutputSettings()
    setattr(settings, asked, value)
    handler = LogHandler(settings, None)
    handler.handle(logging.makeLogRecord({"msg": "Building DAG of jobs...", "levelno": logging.INFO}))
    handler.close()
    assert ("Building DAG of jobs..." in capsys.readouterr().err) == (asked != "quiet")
    assert "DEBATCH_ON_TERMINAL" not in os.environ  # a job then says all


@pytest.mark.parametrize(
    ("asked", "told"), [(None, ["read 5 %", "a range is odd", "Error: no file"]), ("warnings", ["a range is odd"])]
)
def test_under_the_bar_a_job_says_warnings_alone_and_its_log_has_all(root, tmp_path, capsys, monkeypatch, asked, told):
    monkeypatch.delenv("DEBATCH_ON_TERMINAL", raising=False)
    if asked:
        monkeypatch.setenv("DEBATCH_ON_TERMINAL", asked)
    monkeypatch.setattr(logging.getLogger("debatch"), "handlers", [])
    monkeypatch.syspath_prepend(str(root / "workflow/scripts"))
    script = importlib.import_module("script")
    rule = SimpleNamespace(log=[str(tmp_path / "log")], input=[], rule="train", wildcards=["adabn/separated/seed0"])
    with pytest.raises(SystemExit):
        _work_that_fails(script, rule)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ", 1)[1] for line in (tmp_path / "log").read_text().splitlines()] == [
        "read 5 %", "a range is odd", "Error: no file",
    ]  # fmt: skip
    begins = "Warning of train adabn/separated/seed0: " if asked else ""
    assert [line.removeprefix(begins) if asked else line.split(" ", 1)[1] for line in lines] == told


def _work_that_fails(script, rule):
    with script.job(rule) as log:
        log.info("read %d %%", 5)
        log.warning("a range is odd")
        raise UserError("no file")
