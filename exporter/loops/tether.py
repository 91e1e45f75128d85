"""Run a module that dies with whoever started it: `python -m exporter.loops.tether MODULE [ARGUMENT...]`.

Its standard input is a pipe that nobody writes to and that ends when the other end is gone, however that died. That
needs no help of the module, no code between fork and exec, and unlike PR_SET_PDEATHSIG it does not mistake the end of
the starting thread for the end of the process.
"""

import os
import runpy
import signal
import sys
from threading import Thread


def main() -> None:
    """Run the module of the arguments as `python -m` would."""
    Thread(target=_die_with, args=(os.dup(0),), name="tether", daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the pipe is ours alone: the module may read what it likes
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _die_with(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with what it may have started
    os._exit(1)


if __name__ == "__main__":
    main()
