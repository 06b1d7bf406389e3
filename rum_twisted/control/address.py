"""How a socket file is named to the kernel, which takes short names only.

A data folder deep in a tree is longer than that; then the name goes by way of a
descriptor of the folder.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["LONGEST_NAME", "socket_name"]

LONGEST_NAME: Final = 107  # bytes; the kernel's 108 less the NUL at the end


@contextmanager
def socket_name(path: Path) -> Iterator[bytes]:
    """Give the name of the socket file ``path``, valid within the context.

    Raises:
        OSError: the name is too long, and the file's folder cannot be opened.
    """
    name = os.fsencode(path)
    if len(name) <= LONGEST_NAME:
        yield name
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield b"/proc/self/fd/%d/%s" % (folder, os.fsencode(path.name))
    finally:
        os.close(folder)
