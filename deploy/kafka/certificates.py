"""A throw-away certificate authority, with certificates for a broker on this machine and for its clients."""

from __future__ import annotations

import subprocess
from pathlib import Path

_DAYS = "30"
_NEW_KEY = ("-newkey", "rsa:2048", "-nodes")


def make_certificates(folder: Path) -> Path:
    """Make a CA (`ca.pem`) and a certificate for localhost and 127.0.0.1, unless they are there already.

    Returns the PEM file with the broker's key and certificate chain. Needs the `openssl` program.
    """
    keystore = folder / "keystore.pem"
    if keystore.exists():
        return keystore
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca = folder / "ca.pem"
    subject = ["-out", ca, "-days", _DAYS, "-subj", "/CN=takt test CA"]
    _openssl("req", "-x509", *_NEW_KEY, "-keyout", folder / "ca.key", *subject)
    key, chain = _signed(folder, "broker", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    keystore.touch(mode=0o600)
    keystore.write_bytes(key.read_bytes() + chain.read_bytes() + ca.read_bytes())
    return keystore


def client_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate by which the CA in `folder` vouches for a client's name; its PEM files, key last."""
    key, chain = _signed(folder, f"client-{name}", name, "extendedKeyUsage=clientAuth")
    return chain, key


def _signed(folder: Path, file: str, name: str, extension: str) -> tuple[Path, Path]:
    """Key and certificate of a name, signed by the CA of the folder."""
    key, chain = folder / f"{file}.key", folder / f"{file}.pem"
    signer = ["-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"]
    extensions = ["-addext", extension, "-addext", "basicConstraints=critical,CA:FALSE"]
    subject = ["-out", chain, "-days", _DAYS, "-subj", f"/CN={name}"]
    _openssl("req", "-x509", *_NEW_KEY, "-keyout", key, *signer, *extensions, *subject)
    return key, chain


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)  # noqa: S603, S607 our words only
