"""A throw-away certificate authority, with one certificate for a broker on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

_DAYS = "30"


def make_certificates(folder: Path) -> Path:
    """Make a CA (`ca.pem`) and a certificate for localhost and 127.0.0.1, unless they are there already.

    Returns the PEM file with the broker's key and certificate chain. Needs the `openssl` program.
    """
    keystore = folder / "keystore.pem"
    if keystore.exists():
        return keystore
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_key, ca = folder / "ca.key", folder / "ca.pem"
    key, chain = folder / "broker.key", folder / "broker.pem"
    new_key = ["-newkey", "rsa:2048", "-nodes"]
    _openssl("req", "-x509", *new_key, "-keyout", ca_key, "-out", ca, "-days", _DAYS, "-subj", "/CN=takt test CA")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    signed_by: list[str | Path] = [
        "-CA",
        ca,
        "-CAkey",
        ca_key,
        "-addext",
        names,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]
    subject = ["-days", _DAYS, "-subj", "/CN=localhost"]
    _openssl("req", "-x509", *new_key, "-keyout", key, "-out", chain, *signed_by, *subject)
    keystore.touch(mode=0o600)
    keystore.write_bytes(key.read_bytes() + chain.read_bytes() + ca.read_bytes())
    return keystore


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)  # noqa: S603, S607 our words only
