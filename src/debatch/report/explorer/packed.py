"""Numbers and texts as the explorer's scripts unpack them.

A page that is opened from a disk may load scripts and pictures, and nothing else: data are scripts too. Each hands one
value to the page, `debatch.receive(name, value)`.
"""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from debatch.tabular import write_text

# a script may hold any text but these: the first would end it where someone puts it into a page
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_TYPES = {"uint8": "u1", "uint16": "u2", "uint32": "u4", "float32": "f4"}


def pack_numbers(values: np.ndarray) -> dict[str, str]:
    """Numbers (N,) of 8, 16 or 32 bits without sign, or float32."""
    kind = _TYPES[values.dtype.name]
    return {"type": kind, "data": _deflated(values.astype(f"<{kind}").tobytes())}


def pack_codes(values: np.ndarray) -> dict[str, str]:
    """Whole numbers (N,) from 0 on, in as few bits as the largest of them needs."""
    return pack_numbers(values.astype(np.min_scalar_type(int(values.max(initial=0)))))


def pack_texts(texts: list[str]) -> dict[str, str]:
    """Any texts."""
    return {"type": "json", "data": _deflated(json.dumps(texts, ensure_ascii=False).encode())}


def write_script(name: str, value: Any, path: Path) -> None:
    """Write a value as a script that hands it to the page.

    Args:
        name: by which the page asks for it.
        value: of what JSON knows.
        path: of the script.
    """
    said = (json.dumps(part, allow_nan=False).translate(_ESCAPES) for part in (name, value))
    write_text(f"debatch.receive({', '.join(said)});\n", path)


def _deflated(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode()
