"""How much each property of `tests/fuzz` is tried, and what errors for the user may look like."""

import os

from hypothesis import HealthCheck, settings

from debatch.errors import UserError

# examples of all properties together; `make fuzz` says more
SEARCH = os.environ.get("DEBATCH_FUZZ_EXAMPLES")
EXAMPLES = int(SEARCH or 600)


def examples(share):
    """Of a property, its share of all examples: the same ones in each run of the tests, others in each search."""
    return settings(
        max_examples=max(2, round(share * EXAMPLES)),
        derandomize=not SEARCH,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


def of_user(call, *arguments, **options):
    """What a call returns; None where it raises an error for the user, which must be text that can be printed."""
    try:
        return call(*arguments, **options)
    except UserError as error:
        lines = str(error).split("\n")
    assert all(line.strip() and line.encode() for line in lines), f"an error without a word: {lines}"
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
