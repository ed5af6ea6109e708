"""What every script does first: send its log to the rule's log and the terminal, and show a user's error alone."""

import errno
import logging
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

# an environment of --sdm conda holds the dependencies, not the package itself
sys.path.append(str(Path(__file__).resolve().parents[2] / "src"))

from debatch.errors import UserError


@contextmanager
def job(snakemake):
    """Run a job's body with logging; exit with status 1 and one clear message on bad input."""
    formatter = logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S")
    handlers = [logging.StreamHandler(sys.stderr), logging.FileHandler(snakemake.log[0], mode="w")]
    for handler in handlers:
        handler.setFormatter(formatter)
        logging.getLogger("debatch").addHandler(handler)
    logging.getLogger("debatch").setLevel(logging.INFO)
    log = logging.getLogger("debatch.job")
    try:
        yield log
    except UserError as error:
        log.error("Error: %s", error)
        sys.exit(1)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            log.error("Error: %s: the disk is full; free some space, then run the same command again", error.filename)
        else:
            log.error("%s", traceback.format_exc())
        sys.exit(1)
    except Exception:
        log.error("%s", traceback.format_exc())
        sys.exit(1)
