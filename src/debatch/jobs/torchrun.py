"""torchrun that ends with the process that started it, and takes the processes that it starts with it.

Of its own, and importing little: it only waits.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress

# in a process's environment: the one that it ends with, and that holds the run's lock
PARENT = "DEBATCH_PARENT"
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def die_with_parent() -> None:
    """Have the kernel end this process when the one that `PARENT` names ends: it may be killed without a word."""
    parent = os.environ.get(PARENT)
    if parent is None:
        return
    with suppress(OSError, AttributeError):  # no Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it ended before that
        sys.exit(1)


def main() -> None:
    """Be torchrun, by its own arguments."""
    from torch.distributed import run

    die_with_parent()
    os.environ[PARENT] = str(os.getpid())
    run.main(sys.argv[1:])


if __name__ == "__main__":
    main()
