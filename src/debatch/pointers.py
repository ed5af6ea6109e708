"""Files that stand for other files: pointers of Git LFS."""

from pathlib import Path

_POINTER = b"version https://git-lfs.github.com/spec/"


def is_pointer(start: bytes) -> bool:
    """Whether a file that starts so is a pointer of Git LFS."""
    return start.startswith(_POINTER)


def pointer_problem(file: Path | str) -> str:
    """Why a file cannot be read if it is such a pointer; empty where it is not, or cannot be opened."""
    try:
        with Path(file).open("rb") as opened:
            start = opened.read(len(_POINTER))
    except OSError:
        return ""
    return "a pointer of Git LFS, not the file; `git lfs pull` fetches it" if is_pointer(start) else ""
