"""Errors that are for the user: what was wrong, where, and what to do."""

import errno
import re

# what ends a line, moves a cursor or cannot be printed at all
_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class UserError(Exception):
    """Bad input. The message is shown alone, without a traceback."""


class ConfigError(UserError):
    """A configuration file or override that cannot be used."""


class DataError(UserError):
    """Images, metadata or results that cannot be used: one line, whatever the names in it hold."""

    def __init__(self, message: str) -> None:
        super().__init__(_UNPRINTED.sub(lambda found: repr(found[0])[1:-1], message))


def disk_is_full_message(error: Exception) -> str | None:
    """What to tell the user where the disk, or the user's share of it, is full; None of any other error."""
    if not isinstance(error, OSError) or error.errno not in {errno.ENOSPC, errno.EDQUOT}:
        return None
    return f"{error.filename or 'results'}: the disk is full; free some space, then run the same command again"
