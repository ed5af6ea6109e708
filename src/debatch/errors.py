"""Errors that are for the user: what was wrong, where, and what to do."""


class UserError(Exception):
    """Bad input. The message is shown alone, without a traceback."""


class ConfigError(UserError):
    """A configuration file or override that cannot be used."""


class DataError(UserError):
    """Images, metadata or results that cannot be used."""
