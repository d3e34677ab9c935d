"""The jars of Apache Kafka: resolved once by Maven from `pom.xml`, then kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
CACHE_VARIABLE = "TAKT_KAFKA_HOME"
_JAVA_LEAST = 17
_MAVEN_TIMEOUT_S = 600


class MissingToolError(RuntimeError):
    """Java or Maven is absent or too old, so no local broker can run here."""


def cache_folder() -> Path:
    """Folder of the jars: `TAKT_KAFKA_HOME`, or `takt/kafka` in the user's cache."""
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(CACHE_VARIABLE) or Path(user_cache, "takt", "kafka"))


def java() -> str:
    """Path of a `java` that is new enough; raises `MissingToolError` else."""
    program = shutil.which("java")
    if program is None:
        raise MissingToolError(f"no java on PATH: install a Java {_JAVA_LEAST} runtime")
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603 found on PATH
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _JAVA_LEAST:
        raise MissingToolError(f"{program} is no Java {_JAVA_LEAST} or newer: {said.splitlines()[:1]}")
    return program


def jars() -> Path:
    """Folder that holds Kafka's jars and nothing else; resolves them the first time (about 60 MB).

    The folder is named after the content of `pom.xml`, so a new version is a new folder. Raises
    `MissingToolError` without Maven or when Maven cannot reach its repository.
    """
    name = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"jars-{name}"
    if folder.is_dir():
        return folder
    program = shutil.which("mvn")
    if program is None:
        raise MissingToolError(f"no mvn on PATH and no jars at {folder}: install Maven, or set {CACHE_VARIABLE}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch, "jars")
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"]
        command = [program, "-q", "-B", "-f", str(POM), *goal]
        done = subprocess.run(  # noqa: S603 our own words
            command, capture_output=True, text=True, check=False, timeout=_MAVEN_TIMEOUT_S
        )
        if done.returncode != 0:
            raise MissingToolError(f"Maven cannot resolve {POM}: {done.stdout[-2000:]}")
        # Another process may have been faster; its folder holds the same jars.
        if not folder.is_dir():
            fresh.rename(folder)
    return folder
