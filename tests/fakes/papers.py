"""Certificates made on the spot by openssl: an authority, and what it signed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Papers:
    """An authority, and what it signed: for the server, and for a client; as (certificate, key)."""

    authority: Path
    server: tuple[Path, Path]
    client: tuple[Path, Path]


def make_papers(folder: Path) -> Papers:
    """They are good for two days, for localhost."""
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

    def run(command: str) -> None:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)

    run(f"{new} -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem")
    for name in ("server", "client"):
        run(f"{new} -subj /CN=localhost -keyout {name}.key -out {name}.csr")
        (folder / "names").write_text("subjectAltName=DNS:localhost")
        signing = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile names"
        run(f"openssl x509 -req -days 2 -in {name}.csr {signing} -out {name}.pem")
    pairs = [(folder / f"{name}.pem", folder / f"{name}.key") for name in ("server", "client")]
    return Papers(folder / "ca.pem", pairs[0], pairs[1])
