"""What comes from Debian: PostgreSQL 15 as a package, Odoo's package unpacked beside the machine's apt state."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.stack.installs.cache import Install, InstallError, Shell, need, say

POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
SOURCES = Path("/etc/apt")
SUITE = "sid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of Debian unstable: the version that was tried, its sum, and the versions that are taken too."""

    name: str
    version: str
    sha256: str
    accepted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A Debian mirror as the machine's own apt sources name it."""

    uri: str
    signed_by: str


def mirror(sources: Path = SOURCES) -> Mirror:
    """The first mirror of Debian itself in the machine's apt sources."""
    for found in (*_deb822(sources), *_one_line(sources)):
        if re.search(r"/debian(\.list)?/?$", found.uri):  # a file of mirrors may stand in for one
            return found
    raise InstallError(f"No Debian mirror found in {sources}: the Odoo package comes from Debian unstable.")


def _deb822(sources: Path) -> Iterator[Mirror]:
    for file in sorted(sources.glob("sources.list.d/*.sources")):
        for stanza in file.read_text().split("\n\n"):
            keys = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.+)$", stanza, re.MULTILINE))
            wanted = "" if keys.get("Enabled", "yes").strip() == "no" else keys.get("URIs", "")
            for uri in wanted.split():
                yield Mirror(uri=uri, signed_by=keys.get("Signed-By", ""))


def _one_line(sources: Path) -> Iterator[Mirror]:
    for file in (sources / "sources.list", *sorted(sources.glob("sources.list.d/*.list"))):
        text = file.read_text() if file.is_file() else ""
        for options, uri in re.findall(r"^deb[ \t]+(?:\[([^\]]*)\][ \t]+)?(\S+)", text, re.MULTILINE):
            signed = re.search(r"signed-by=(\S+)", options)
            yield Mirror(uri=uri, signed_by=signed.group(1) if signed else "")


def download(package: Package, shell: Shell, folder: Path) -> tuple[Path, str]:
    """Fetch `package` with apt lists of its own and return the file and its version."""
    need("apt-get", "to fetch Odoo's package (Debian or a derivative)")
    options = _options(folder)
    shell.run("read the lists of Debian unstable", "apt-get", *options, "update")
    shell.run(f"download {package.name}", "apt-get", *options, "download", package.name, cwd=folder)
    file = next(folder.glob(f"{package.name}_*.deb"))
    version = shell.run("read its version", "dpkg-deb", "-f", file, "Version").strip()
    _check(package, file, version)
    return file, version


def _options(folder: Path) -> Sequence[str]:
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True)
    found = mirror()
    stanza = f"Types: deb\nURIs: {found.uri}\nSuites: {SUITE}\nComponents: main\n"
    signed = f"Signed-By: {found.signed_by}\n" if found.signed_by else ""
    (folder / "debian.sources").write_text(stanza + signed)
    settings = {
        "Dir::Etc::sourcelist": folder / "debian.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _check(package: Package, file: Path, version: str) -> None:
    if not version.startswith(package.accepted):
        raise InstallError(f"Debian now has {package.name} {version}; the stack tests know {package.accepted}*.")
    if version != package.version:
        say(package.name, f"note: Debian has {version}, the tests were written with {package.version}")
    elif sha256(file.read_bytes()).hexdigest() != package.sha256:
        raise InstallError(f"{file.name} is not the file the tests were written with (sha256 differs).")


def unpack(package: Package, place: Path, wanted: Path) -> Mapping[str, str]:
    """Download `package` and keep only its folder `wanted` in `place`."""
    shell = Shell(name=package.name)
    with tempfile.TemporaryDirectory(dir=place) as work:
        file, version = download(package, shell, Path(work))
        shell.run("unpack", "dpkg-deb", "-x", file, Path(work) / "tree")
        (Path(work) / "tree" / wanted).rename(place / wanted.name)
    return {"debian_version": version}


def _install_postgres(_: Path) -> Mapping[str, str]:
    shell = Shell(name="postgresql", env={"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"})
    need("apt-get", "to install PostgreSQL 15 (Debian or a derivative)")
    if os.geteuid() != 0:
        raise InstallError("PostgreSQL 15 is missing: install Debian's package postgresql-15 as root.")
    shell.run("read the package lists", "apt-get", "update")
    shell.run("install", "apt-get", "install", "-y", "--no-install-recommends", "postgresql-15")
    return {}


def postgres_present() -> bool:
    """Whether the programs are there; the package's own cluster is never used, nor started by us."""
    return all(shutil.which(tool, path=str(POSTGRES_BIN)) for tool in ("initdb", "postgres", "psql", "pg_restore"))


POSTGRES = Install(name="postgresql", version="15", build=_install_postgres, present=postgres_present)
