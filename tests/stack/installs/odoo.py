"""Odoo 19: Debian's package, a Python environment with Odoo's pins, and the OCA addons."""

import shutil
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.stack.installs.cache import Install, InstallError, Shell, digest, need
from tests.stack.installs.debian import Package, unpack

REQUIREMENTS = Path(__file__).parent.parent / "odoo-requirements.txt"
LAB_ADDONS = Path(__file__).parent.parent / "addons"
PYTHONS = ("python3.11", "python3.12")
PACKAGE = Package(
    name="odoo-19",
    version="19.0.0+dfsg-1",
    sha256="9d2f598b0555db17e291d48ed24df184c70823c053c4c5ed53c467ca7f629bbf",
    accepted="19.0.",
)
OCA_PINS = (
    "odoo-addon-queue-job==19.0.2.4.0.1",
    "odoo-addon-base-tier-validation==19.0.1.4.6",
    "odoo-addon-purchase-tier-validation==19.0.1.0.0.4",
)


def _package(place: Path) -> Mapping[str, str]:
    notes = unpack(PACKAGE, place, Path("usr/lib/python3/dist-packages"))
    for duplicate in ("addons", "doc", "setup"):
        shutil.rmtree(place / "dist-packages" / duplicate, ignore_errors=True)
    return notes


def _python() -> str:
    """The pins have wheels for 3.11 and 3.12 only."""
    if sys.version_info[:2] in {(3, 11), (3, 12)}:
        return sys.executable
    found = next(filter(None, map(shutil.which, PYTHONS)), None)
    if found is None:
        raise InstallError("Odoo 19 with its pins needs Python 3.11 or 3.12; neither is on PATH.")
    return found


def _venv(place: Path) -> Mapping[str, str]:
    shell = Shell(name="odoo-venv")
    need("gcc", "to build the few of Odoo's requirements that have no wheel")
    shell.run("create", _python(), "-m", "venv", place)
    shell.run("install the pins", place / "bin" / "python", "-m", "pip", "install", "-r", REQUIREMENTS)
    return {}


def _oca(place: Path) -> Mapping[str, str]:
    """The wheels hold `odoo/addons/<addon>`; Odoo wants the addons side by side in one folder."""
    wheels = place / "wheels"
    pip = (sys.executable, "-m", "pip", "download", "--no-deps", "-d", wheels)
    Shell(name="oca-addons").run("download", *pip, *OCA_PINS)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as content:
            content.extractall(place, [name for name in content.namelist() if name.startswith("odoo/addons/")])
    shutil.rmtree(wheels)
    return {"pins": " ".join(OCA_PINS)}


ODOO = Install(name="odoo", version=PACKAGE.version, build=_package)
VENV = Install(name="odoo-venv", version=digest(REQUIREMENTS.read_text()), build=_venv)
OCA = Install(name="oca-addons", version=digest(*OCA_PINS), build=_oca)


def sources() -> Path:
    """The folder with the package `odoo`."""
    return ODOO.place / "dist-packages"


def addons() -> Path:
    """The folder with the OCA addons."""
    return OCA.place / "odoo" / "addons"


def addons_path() -> str:
    """All addons: Odoo's own, OCA's, and the tests' own one."""
    return f"{sources() / 'odoo' / 'addons'},{addons()},{LAB_ADDONS}"


def python() -> Path:
    """The interpreter that has Odoo's requirements; console scripts beside it do not survive the rename into place."""
    return VENV.place / "bin" / "python"
