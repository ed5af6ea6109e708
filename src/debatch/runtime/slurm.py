"""What SLURM is asked: would it take these jobs, before the first is submitted; how long has a job left."""

import getpass
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from debatch.errors import UserError

SECONDS = 30.0
UNKNOWN = -1
# as the plugin (2.8.0) checks it at the first GPU job, hours after the first job
PLUGIN_GPU_MODEL = re.compile(r"[A-Za-z0-9_.]+")


class Demand(NamedTuple):
    """What a job of a rule asks SLURM for.

    Attributes:
        rule: the rule's name.
        options: of sbatch.
    """

    rule: str
    options: tuple[str, ...]


def demand(rule: str, threads: int, resources: Mapping[str, Any]) -> Demand:
    """What a job with these resources would be submitted with.

    Args:
        rule: its rule.
        threads: its CPUs.
        resources: as Snakemake names them: mem_mb, runtime in minutes, gpu, and the site's slurm_partition and so on.
    """
    gpus, model = resources.get("gpu"), resources.get("gpu_model")
    options = {
        "--account": resources.get("slurm_account"),
        "--partition": resources.get("slurm_partition"),
        "--qos": resources.get("qos"),
        "--constraint": resources.get("constraint"),
        "--clusters": resources.get("clusters") or resources.get("cluster") or resources.get("slurm_cluster"),
        "--time": resources.get("runtime"),
        "--mem": None if resources.get("mem_mb_per_cpu") else resources.get("mem_mb"),
        "--cpus-per-task": threads,
        "--gpus": f"{model}:{gpus}" if model and gpus else gpus,
        "--gres": resources.get("gres"),
    }
    return Demand(rule, tuple(f"{option}={value}" for option, value in options.items() if value))


def refuse_impossible(demands: Iterable[Demand], profile: str) -> None:
    """Ask SLURM about each kind of job once, without submitting any.

    Args:
        demands: of the jobs that are about to be submitted.
        profile: where a user would mend them.

    Raises:
        UserError: there is no SLURM here, or it would not take some of the jobs; says which and why.
    """
    if shutil.which("sbatch") is None:
        raise UserError(
            "the profile submits jobs to SLURM, and there is no `sbatch` on PATH: call snakemake on a login node of "
            "the cluster (perhaps after `module load slurm`), or without `--profile slurm` to run here"
        )
    refusals: dict[str, list[str]] = {}
    for options, rules in _rules_by_options(demands).items():
        reason = _refusal(options)
        if reason:
            refusals.setdefault(reason, []).extend(rules)
    if refusals:
        lines = [f"  {', '.join(rules)}: {reason}" for reason, rules in refusals.items()]
        raise UserError(
            "SLURM would not take these jobs, and nothing was submitted:\n" + "\n".join(lines) + "\n"
            "`sinfo --format '%P %l %c %m %G'` shows partitions, time limits, CPUs, memory and GPUs. "
            f"Set what fits in {profile}: account and partition under `default-resources`, of one rule under "
            "`set-resources`; GPUs, memory and time also under `compute` in the screen"
        )


def _rules_by_options(demands: Iterable[Demand]) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], dict[str, None]] = {}
    for one in demands:
        found.setdefault(one.options, {})[one.rule] = None
    return {options: list(rules) for options, rules in found.items()}


def _refusal(options: tuple[str, ...]) -> str | None:
    """Why SLURM would not take a job, or would let it wait for ever; None where it would take it, or does not say."""
    asked = dict(option.split("=", 1) for option in options)
    model = asked.get("--gpus", "").rpartition(":")[0]
    if model and not PLUGIN_GPU_MODEL.fullmatch(model):
        return (
            f"Snakemake's SLURM plugin takes no GPU model like {model!r}, with a hyphen: leave `gpu_model` out and "
            "choose the GPU by its partition or a constraint (docs/cluster.md, 'Which GPU')"
        )
    accounts = _said(
        "sacctmgr", "--noheader", "--parsable2", "show", "assoc", f"user={getpass.getuser()}", "format=account"
    )
    known = sorted({line.strip() for line in accounts[1].splitlines() if line.strip()})
    account = asked.get("--account", "")
    if account and known and not {name.lower() for name in account.split(",")} <= {name.lower() for name in known}:
        return f"account {account!r} is not among yours: {', '.join(known)}"
    returned, text = _said("sbatch", "--test-only", *options, "--wrap=true")
    if returned not in (0, UNKNOWN):
        for line in text.splitlines():
            if "allocation failure: " in line:
                return f"{line.split('allocation failure: ')[1]} (asked for {' '.join(options)})"
    return _beyond_the_time_limit(asked)


def _beyond_the_time_limit(asked: Mapping[str, str]) -> str | None:
    """Said here, since SLURM takes such a job and never starts it."""
    which = ("--partition", asked["--partition"]) if "--partition" in asked else ()
    limits = [duration(line) for line in _said("sinfo", "--noheader", "--format=%l", *which)[1].split()]
    if not limits or None in limits or not asked.get("--time", "").isdigit():
        return None
    longest = max(limit for limit in limits if limit is not None) // 60
    if int(asked["--time"]) <= longest:
        return None
    return (
        f"{asked['--time']} minutes are more than the partition's limit of {longest}; give it less (`runtime`): "
        "training leaves before its limit and goes on at the next attempt"
    )


def seconds_left(job: str) -> int | None:
    """Until SLURM ends a job, which may be sooner than it asked for; None where SLURM does not say."""
    # an array's last task keeps the array's number, and to ask for that lists all of its tasks
    lines = _said("squeue", "--noheader", f"--jobs={job}", "--format=%A %L")[1].splitlines()
    left = dict(line.split() for line in lines if len(line.split()) == 2)
    return duration(left[job]) if job in left else None


def duration(text: str) -> int | None:
    """Seconds of a time as SLURM writes it: `1-12:00:00`, `2:30`; None for `infinite` and other words."""
    days, _, clock = text.rpartition("-")
    if not clock.replace(":", "").isdigit() or not (days or "0").isdigit():
        return None
    hours, minutes, seconds = ([0, 0, 0] + [int(part) for part in clock.split(":")])[-3:]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def _said(*command: str) -> tuple[int, str]:
    """What a command returned and said; UNKNOWN where it could not say anything."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return UNKNOWN, ""  # a controller that is slow today takes the jobs themselves a little later
    return done.returncode, done.stdout + done.stderr
