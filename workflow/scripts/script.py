"""What every script does first: send its log to the rule's log and the terminal, and show a user's error alone."""

import logging
import os
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

# an environment of --sdm conda holds the dependencies, not the package itself
sys.path.append(str(Path(__file__).resolve().parents[2] / "src"))

from debatch.errors import UserError, disk_is_full_message

# what the clocks of a cluster's machines may differ by
CLOCK_SKEW_SECONDS = 120
LINE = logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S")


def terminal(snakemake):
    """What a job says on stderr: all; under `--logger debatch`, which shows why a job failed from its log, warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LINE)
    if os.environ.get("DEBATCH_ON_TERMINAL") == "warnings":
        handler.addFilter(lambda record: record.levelno == logging.WARNING)
        who = " ".join([snakemake.rule, *map(str, snakemake.wildcards)])
        handler.setFormatter(logging.Formatter(f"Warning of {who}: %(message)s"))
    return handler


@contextmanager
def job(snakemake):
    """Run a job's body with logging; exit with status 1 and one clear message on bad input."""
    everything = logging.FileHandler(snakemake.log[0], mode="w")
    everything.setFormatter(LINE)
    logging.getLogger("debatch").handlers = [everything, terminal(snakemake)]
    logging.getLogger("debatch").setLevel(logging.INFO)
    log = logging.getLogger("debatch.job")
    try:
        refuse_the_future(snakemake.input)
        yield log
    except Exception as error:
        message = str(error) if isinstance(error, UserError) else disk_is_full_message(error)
        log.error("%s", f"Error: {message}" if message else traceback.format_exc())
        sys.exit(1)


def refuse_the_future(paths):
    """Stop before the work, not after: Snakemake throws away what is older than the file that it was made from."""
    now = time.time()
    for path in paths:
        ahead = os.stat(path).st_mtime - now if os.path.exists(path) else 0
        if ahead > CLOCK_SKEW_SECONDS:
            raise UserError(
                f"{path} is dated {ahead / 60:.0f} minutes after this machine's clock, so one of the two "
                "clocks is wrong. Correct it; then run the same command once with `--touch`, which dates the results "
                "that are there now, and again without it to go on"
            )
