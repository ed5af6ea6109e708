"""What is to be done, what is done, and what that says of the time that is left. Knows neither terminal nor log."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from snakemake_logger_plugin_debatch import job_log
from snakemake_logger_plugin_debatch.words import kind_of_rule, words

# What a job of a kind takes, in jobs of other kinds, until one was seen. While one of these is still to come of which
# nothing is known yet, nothing is said of the time left.
WEIGHTS = {"train": 10.0}
JOBS_FOR_A_BASIS = 3
# of a job that takes longer than others of its kind took
OVERRUN = 0.1


@dataclass(frozen=True)
class Job:
    """A job that runs or ran; times in seconds of one clock."""

    rule: str
    wildcards: Mapping[str, str]
    log: tuple[str, ...]
    makes_files: bool
    started: float

    @property
    def words(self) -> str:
        """What it does."""
        return words(self.rule, self.wildcards)

    @property
    def kind(self) -> str:
        """What it is counted with."""
        return kind_of_rule(self.rule)


@dataclass
class Work:
    """A call of Snakemake: its jobs by kind, and how long those took that have ended."""

    jobs: Counter[str]
    started: float = field(default_factory=time.time)
    # jobs wait in a queue there, for nobody knows how long
    on_cluster: bool = False
    running: dict[int, Job] = field(default_factory=dict)
    failed: dict[int, Job] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def all(self) -> int:
        """Number of jobs."""
        return self.jobs.total()

    @property
    def done(self) -> int:
        """Number of jobs that ended well."""
        return sum(len(seconds) for seconds in self.seconds.values())

    def start(self, job_id: int, job: Job) -> None:
        """A job begins, perhaps again."""
        self.failed.pop(job_id, None)
        self.running[job_id] = job
        # more than was announced: after a checkpoint
        begun = len(self.seconds.get(job.kind, ())) + sum(other.kind == job.kind for other in self.running.values())
        self.jobs[job.kind] = max(self.jobs[job.kind], begun)

    def finish(self, job_id: int, now: float) -> tuple[Job, float] | None:
        """A job has ended well: it and its seconds; None for one that was never heard of."""
        job = self.running.pop(job_id, None)
        if job is None:
            return None
        taken = max(0.0, now - job.started)
        self.seconds.setdefault(job.kind, []).append(taken)
        return job, taken

    def fail(self, job_id: int) -> Job | None:
        """A job has failed."""
        job = self.running.pop(job_id, None)
        if job is not None:
            self.failed[job_id] = job
        return job

    def progress(self, job: Job) -> job_log.Progress | None:
        """How far a running job says that it is; a cluster's file system is not asked again and again."""
        return None if self.on_cluster else job_log.progress(job.log, job.started)

    def share(self, now: float) -> float:
        """How much of the work is done, in [0, 1]."""
        expected, _ = self._expected()
        left = sum(self._rests(expected, now)) + self._waiting(expected)
        done = sum(sum(seconds) for seconds in self.seconds.values())
        done += sum(min(now - job.started, self._in_all(job, expected)) for job in self.running.values())
        return done / (done + left) if done + left > 0 else 0.0

    def seconds_left(self, now: float) -> float | None:
        """An estimate from this call's own jobs; None where they are no basis for one."""
        expected, unknown = self._expected()
        if self.on_cluster or self.done < JOBS_FOR_A_BASIS or any(self._count_left(kind) for kind in unknown):
            return None
        rests = self._rests(expected, now)
        busy = sum(sum(seconds) for seconds in self.seconds.values())
        busy += sum(now - job.started for job in self.running.values())
        at_once = max(busy / max(now - self.started, 1e-6), 1.0)
        jobs_left = max(sum(self._count_left(kind) for kind in self.jobs), 1)
        return max([*rests, (sum(rests) + self._waiting(expected)) / min(at_once, jobs_left)])

    def _count_left(self, kind: str) -> int:
        failed = sum(job.kind == kind for job in self.failed.values())
        return self.jobs[kind] - len(self.seconds.get(kind, ())) - failed

    def _expected(self) -> tuple[dict[str, float], list[str]]:
        """Seconds of a job of each kind, and the long kinds that nothing is known of."""
        weights = {kind: WEIGHTS.get(kind, 1.0) for kind in self.jobs}
        weighed = sum(weights[kind] * len(seconds) for kind, seconds in self.seconds.items())
        unit = sum(sum(seconds) for seconds in self.seconds.values()) / weighed if weighed else 1.0
        expected: dict[str, float] = {}
        unknown: list[str] = []
        for kind, weight in weights.items():
            known = self.seconds.get(kind) or self._told_by_running(kind)
            expected[kind] = sum(known) / len(known) if known else unit * weight
            if weight > 1 and not known:
                unknown.append(kind)
        return expected, unknown

    def _told_by_running(self, kind: str) -> list[float]:
        """What running jobs of a kind will take in all."""
        told = [self._told_by(job) for job in self.running.values() if job.kind == kind]
        return [seconds for seconds in told if seconds is not None]

    def _told_by(self, job: Job) -> float | None:
        """What a running job will take in all, by how far it says that it is."""
        said = self.progress(job)
        return (said.at - job.started) * said.of / said.done if said else None

    def _in_all(self, job: Job, expected: Mapping[str, float]) -> float:
        """What a running job will take in all."""
        told = self._told_by(job)
        return expected[job.kind] if told is None else told

    def _rests(self, expected: Mapping[str, float], now: float) -> list[float]:
        """Seconds that each running job still takes; one that overruns still takes some."""
        elapsed = [(job, now - job.started) for job in self.running.values()]
        return [max(self._in_all(job, expected) - seconds, OVERRUN * seconds) for job, seconds in elapsed]

    def _waiting(self, expected: Mapping[str, float]) -> float:
        """Seconds of all jobs that were not begun, one after another."""
        running = Counter(job.kind for job in self.running.values())
        return sum(max(self._count_left(kind) - running[kind], 0) * expected[kind] for kind in self.jobs)
