"""Install the real servers of the stack tests: `python tests/stack/install.py [name ...]`, standard library only.

The work is done by the package `installs` beside this file; this is only its door, so that no PYTHONPATH is needed.
"""

import importlib
import sys
from pathlib import Path


def main() -> int:
    """Install what the command line names (nothing named: everything) and return the exit code."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    installs = importlib.import_module("tests.stack.installs.everything")
    return int(installs.main(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
