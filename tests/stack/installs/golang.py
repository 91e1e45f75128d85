"""Servers built from Go modules, in one module and build cache of their own that is deleted when the last is built."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.stack.installs.cache import Install, Shell, ensure, locked, need, root, say

SOURCES = Path(__file__).parent.parent / "otelcol"
BUILDER = "go.opentelemetry.io/collector/cmd/builder"
CHAIN = "go"


def _work() -> Path:
    return root() / "go-work"


def _shell(name: str) -> Shell:
    need("go", f"to build {name} (Go 1.26 or newer)")
    work = _work()
    env = {
        "GOMODCACHE": str(work / "mod"),
        "GOCACHE": str(work / "build"),
        "GOBIN": str(work / "bin"),
        "GOFLAGS": "-modcacherw -buildvcs=false",
        "CGO_ENABLED": "0",
    }
    return Shell(name=name, env=env)


def _build(shell: Shell, folder: Path, package: str, binary: Path) -> None:
    shell.run(
        f"build {binary.name}", "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, package, cwd=folder
    )


def _module(name: str, module: str, version: str, packages: Mapping[str, str]) -> Callable[[Path], Mapping[str, str]]:
    """Build in the module's own folder: `go install path@version` refuses modules with replace directives."""

    def build(place: Path) -> Mapping[str, str]:
        shell = _shell(name)
        found = shell.run(f"download {module}@{version}", "go", "mod", "download", "-json", f"{module}@{version}")
        folder = Path(json.loads(found)["Dir"])
        for binary, package in packages.items():
            _build(shell, folder, package, place / binary)
        return {"module": f"{module}@{version}"}

    return build


def _otelcol(place: Path) -> Mapping[str, str]:
    """Our go.mod and go.sum stand in for the builder's `go mod tidy`, which wants modules that tests alone need."""
    shell = _shell("otelcol")
    version = OTELCOL.version
    shell.run("install the builder", "go", "install", f"{BUILDER}@v{version}")
    shutil.copy(SOURCES / "builder.yaml", place)
    builder = _work() / "bin" / "builder"
    config = ("--config", "builder.yaml", "--skip-get-modules", "--skip-compilation")
    shell.run("write the main package", builder, *config, cwd=place)
    for pinned in ("go.mod", "go.sum"):
        shutil.copy(SOURCES / pinned, place / "build")
    _build(shell, place / "build", ".", place / "otelcol")
    return {"builder": f"{BUILDER}@v{version}"}


OTELCOL = Install(name="otelcol", version="0.145.0", build=_otelcol, chain=CHAIN)
JAEGER = Install(
    name="jaeger",
    version="1.76.0",
    build=_module("jaeger", "github.com/jaegertracing/jaeger", "v1.76.0", {"jaeger": "./cmd/jaeger"}),
    chain=CHAIN,
)
PROMETHEUS = Install(
    name="prometheus",
    version="0.309.1",
    build=_module(
        "prometheus",
        "github.com/prometheus/prometheus",
        "v0.309.1",
        {"prometheus": "./cmd/prometheus", "promtool": "./cmd/promtool"},
    ),
    chain=CHAIN,
)
ALERTMANAGER = Install(
    name="alertmanager",
    version="0.28.1",
    build=_module(
        "alertmanager",
        "github.com/prometheus/alertmanager",
        "v0.28.1",
        {"alertmanager": "./cmd/alertmanager", "amtool": "./cmd/amtool"},
    ),
    chain=CHAIN,
)
COMPOSE = Install(
    name="docker-compose",
    version="2.40.3",
    build=_module("docker-compose", "github.com/docker/compose/v2", "v2.40.3", {"docker-compose": "./cmd"}),
    chain=CHAIN,
)
ALL = (OTELCOL, JAEGER, PROMETHEUS, ALERTMANAGER, COMPOSE)


def ensure_go(install: Install) -> None:
    """Build one server; one at a time, because all share the caches that the last one deletes."""
    with locked("go-work"):
        ensure(install)
        if all(one.done for one in ALL) and _work().exists():
            shutil.rmtree(_work())
            say(install.name, "deleted the Go caches")
