"""What stands on a terminal after all that was written to it."""

import re

_ERASED = re.compile(r"\x1b\[(\d+)A\x1b\[J")


def seen(written: str) -> list[str]:
    """Its lines; `ESC[nA ESC[J` erases the last n."""
    lines: list[str] = []
    for number, part in enumerate(_ERASED.split(written)):
        if number % 2:
            del lines[-int(part) :]
        else:
            lines += part.split("\n")[:-1]
    return lines
