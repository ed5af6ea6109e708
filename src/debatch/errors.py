"""Errors that are for the user: what was wrong, where, and what to do."""

import errno


class UserError(Exception):
    """Bad input. The message is shown alone, without a traceback."""


class ConfigError(UserError):
    """A configuration file or override that cannot be used."""


class DataError(UserError):
    """Images, metadata or results that cannot be used."""


def disk_is_full_message(error: Exception) -> str | None:
    """What to tell the user where the disk, or the user's share of it, is full; None of any other error."""
    if not isinstance(error, OSError) or error.errno not in {errno.ENOSPC, errno.EDQUOT}:
        return None
    return f"{error.filename or 'results'}: the disk is full; free some space, then run the same command again"
