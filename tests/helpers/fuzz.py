"""How much each property of `tests/fuzz` is tried, and what errors for the user may look like."""

import math

from hypothesis import HealthCheck, settings

from debatch.errors import UserError

SEARCHES = settings.get_current_profile_name() == "fuzz"
# of all properties together
EXAMPLES = settings.default.max_examples if SEARCHES else 1_000


def examples(share):
    """Of a property, its share of all examples: the same ones in each run of the tests, others in each search."""
    return settings(
        max_examples=math.ceil(share * EXAMPLES),
        derandomize=not SEARCHES,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


def of_user(call, *arguments, **options):
    """What a call returns; None where it raises an error for the user, which must be text that can be printed."""
    try:
        return call(*arguments, **options)
    except UserError as error:
        text = str(error)
    assert text.strip(), "an error without a word"
    assert text.encode()
    return None


def one_line(call, *arguments, **options):
    """As `of_user`, where the error must be one line."""
    try:
        return call(*arguments, **options)
    except UserError as error:
        text = str(error)
    assert len(text.splitlines()) == 1, f"not one line: {text!r}"
    assert text.encode()
    return None
