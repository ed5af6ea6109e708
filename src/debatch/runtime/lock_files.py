"""Files to be locked by jobs of several users."""

import os
from pathlib import Path


def open_lock_file(path: Path, access: int) -> int:
    """Open a lock file, made where it is not there; its descriptor. No link is followed.

    Args:
        path: the file, in a folder that is there.
        access: os.O_RDONLY or os.O_RDWR.
    """
    while True:
        try:
            # without O_CREAT: in a sticky folder Linux refuses it with a file that another user made
            return os.open(path, access | os.O_NOFOLLOW)
        except FileNotFoundError:
            pass
        try:
            made = os.open(path, access | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        os.fchmod(made, 0o666)  # whatever the umask: it holds nothing, and others must be able to lock it
        return made
