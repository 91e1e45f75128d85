"""`make fuzz TARGET=events SECONDS=60`: a target guided by coverage, where atheris is installed.

It begins with what tests/data/fuzz holds; an input that breaks the target is written to the last argument, a folder.
It belongs into tests/data/fuzz/TARGET once the fault is mended, so that every `make test` tries it again.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

# Nothing of the exporter is imported up here: what is imported before atheris instruments it is fuzzed blindly.
TARGETS = Path(__file__).with_name("targets")
KEPT = Path(__file__).parents[1] / "data" / "fuzz"


def main(name: str, seconds: str, found: str) -> None:
    """Fuzz one target for so many seconds; what is found is written to the folder `found`."""
    names = sorted(path.stem for path in TARGETS.glob("[a-z]*.py"))
    if name not in names:
        sys.exit(f"{name} is no target: choose one of {', '.join(names)}.")
    if find_spec("atheris") is None:
        sys.exit("atheris is not installed, nothing was fuzzed: run `.venv/bin/pip install atheris` first.")
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["exporter", "google.protobuf.json_format"]):
        target = import_module(f"tests.fuzz.targets.{name}").TestOneInput
    folders = [found, *(str(folder) for folder in [KEPT / name] if folder.is_dir())]
    limits = [f"-max_total_time={seconds}", "-max_len=4096", f"-artifact_prefix={found}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *folders, *limits], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:4])
