"""What this process and its children write to the terminal, kept from it."""

import os
import tempfile
from typing import IO


class Captured:
    """Takes the places of stdout and stderr, where those are the terminal, with a file without a name.

    A file, not a pipe: a job that outlives Snakemake can go on writing.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        # descriptor -> the terminal behind it
        self._taken: dict[int, int] = {}
        self._read = 0

    def start(self) -> None:
        """From now on."""
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        for descriptor in (1, 2):
            if os.isatty(descriptor):
                self._taken[descriptor] = os.dup(descriptor)
                os.dup2(self._file.fileno(), descriptor)

    def lines(self, whole: bool) -> list[str]:
        """What came since the last call: its whole lines, or with what has no end yet."""
        if self._file is None:
            return []
        # pread: the place to write at is everybody's
        data = b""
        while chunk := os.pread(self._file.fileno(), 65_536, self._read + len(data)):
            data += chunk
        if whole:
            data = data[: data.rfind(b"\n") + 1]
        self._read += len(data)
        return data.decode(errors="replace").splitlines()

    def stop(self) -> None:
        """Give stdout and stderr back."""
        for descriptor, terminal in self._taken.items():
            os.dup2(terminal, descriptor)
            os.close(terminal)
        self._taken.clear()
