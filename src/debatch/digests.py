"""SHA-256 of what results are made from, in hexadecimal."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def sha256_of_text(text: str) -> str:
    """Of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_json(facts: Any, *arrays: bytes) -> str:
    """Of what JSON can hold, whatever the order of its keys, and of arrays' bytes after it."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for content in arrays:
        digest.update(content)
    return digest.hexdigest()


def sha256_of_file(path: Path | str) -> str | None:
    """Of a file's bytes; None where it is not there."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def sha256_of_files(paths: Iterable[Path | str]) -> str | None:
    """One of several files: of their digests, in order; None where one is not there."""
    together = hashlib.sha256()
    for path in paths:
        digest = sha256_of_file(path)
        if digest is None:
            return None
        together.update(bytes.fromhex(digest))
    return together.hexdigest()
