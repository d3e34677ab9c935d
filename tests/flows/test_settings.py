"""Settings: validated at once, with the place of every problem."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.settings import FileSource, KafkaSource, Settings, load
from schemas.errors import SettingsError

SECRET = "hemmelig"  # noqa: S105


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "takt.toml"


def refused(file: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """The lines of the refusal."""
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        load(file, environ or {})
    return [line.strip().removeprefix("- ") for line in error.value.what.splitlines()]


def test_nothing_given_is_valid():
    """Without file and environment the defaults hold: files only, everything under `var`."""
    assert load(None, {}) == Settings()
    others = {"PATH": "/bin", "TAKT_SETTINGS": "x.toml", "TAKT_TEST_ALL": "1", "TAKT_TEST_DATA": "x"}
    assert load(None, others) == Settings()


def test_all_problems_come_in_one_message(file):
    """Missing, unknown, misspelt and wrong values are all told, each by its key."""
    lines = refused(
        file,
        """
        colour = "red"
        workers = 0
        recovery = "state"
        [lake]
        foldr = "x"
        folder = 5
        [sources.a]
        kind = "files"
        contract = "robot.state@1"
        [sources.b]
        kind = "ftp"
        [sources.c]
        contract = "robot.state@1"
        [sources."D e"]
        kind = "kafka"
        contract = "robot.state@1"
        topic = "t"
        start = "yesterday"
        [time]
        window_s = "soon"
        """,
    )
    assert lines[0] == f"settings in {file} are not valid:"
    assert sorted(lines[1:]) == [
        "colour: unknown key",
        "lake.folder: Input should be a path, as text",
        "lake.foldr: unknown key; did you mean folder?",
        "recovery: Input should be a section, [recovery]",
        "sources.D e.start: Input should be 'earliest', 'latest' or 'committed'",
        "sources.D e: String should match pattern '^[a-z][a-z0-9_-]*$'",
        "sources.a.path: Field required",
        "sources.b: kind must be one of 'files', 'kafka'",
        "sources.c: kind must be one of 'files', 'kafka'",
        "time.window_s: Input should be a valid number, unable to parse string as a number",
        "workers: Input should be greater than or equal to 1",
    ]


def test_unknown_and_wrong_variables_are_told_by_name(file):
    """A misspelt variable is no silent default, and one that has the wrong value is named."""
    environ = {"TAKT_LAKE__FOLDR": "x", "TAKT_WORKERS": "many", "TAKT_NO_SUCH": "1", "TAKT_WORKERS__X": "1"}
    lines = refused(file, "", environ)
    assert "lake.foldr: unknown key; did you mean folder? (set by TAKT_LAKE__FOLDR)" in lines
    assert "no_such: unknown key (set by TAKT_NO_SUCH)" in lines
    assert "workers: not a section, but set by TAKT_WORKERS__X" in lines
    assert any(line.startswith("workers: ") and line.endswith("(set by TAKT_WORKERS)") for line in lines)


def test_environment_wins_over_the_file(file):
    """A variable replaces what the file says, in a section and in one that the file does not have."""
    file.write_text('workers = 1\n[lake]\nfolder = "/of/file"\n')
    settings = load(
        file,
        {
            "TAKT_LAKE__FOLDER": "/of/environment",
            "TAKT_WORKERS": "2",
            "TAKT_SOURCES__T__KIND": "files",
            "TAKT_SOURCES__T__CONTRACT": "robot.state@1",
            "TAKT_SOURCES__T__PATH": "/in",
            "TAKT_SOURCES__T__FOLLOW": "true",
        },
    )
    assert settings.lake.folder == Path("/of/environment")
    assert settings.workers == 2
    assert settings.sources == {"t": FileSource(kind="files", contract="robot.state@1", path=Path("/in"), follow=True)}


def test_a_list_may_come_from_the_environment(file):
    """It is written as in TOML; what is no list is told to be none."""
    file.write_text("[alignment]\n[sources.r]\nkind = 'files'\ncontract = 'robot.state@1'\npath = 'day'\n")
    settings = load(file, {"TAKT_ALIGNMENT__HORIZONS_S": "[600, 1800.5]"})
    assert settings.alignment is not None
    assert settings.alignment.horizons_s == (600, 1800.5)
    with pytest.raises(SettingsError, match=r"horizons_s.*set by TAKT_ALIGNMENT__HORIZONS_S"):
        load(file, {"TAKT_ALIGNMENT__HORIZONS_S": "[600, 1800"})


def test_syntax_error_is_told_with_its_line(file):
    """A file that is not TOML is refused with file, line and column."""
    file.write_text("workers = 1\nlake = \n")
    with pytest.raises(SettingsError, match=r"takt\.toml is not TOML: .*line 2, column 8"):
        load(file, {})


def test_file_that_cannot_be_read_is_told(tmp_path, file):
    """A missing file, a folder and a file that is not UTF-8 are refused as what they are; a byte order mark is not."""
    with pytest.raises(SettingsError, match="does not exist"):
        load(file, {})
    with pytest.raises(SettingsError, match=r"cannot be read: .*directory"):
        load(tmp_path, {})
    file.write_text("workers = 2", "utf-16")
    with pytest.raises(SettingsError, match=r"takt\.toml is not UTF-8") as error:
        load(file, {})
    assert error.value.fix == "save it as UTF-8"
    file.write_text("workers = 2", "utf-8-sig")
    assert load(file, {}).workers == 2


def test_relative_paths_are_taken_from_the_folder_of_the_file(file):
    """All paths, those of certificates and of defaults too; absolute ones stay; without a file nothing moves."""
    file.write_text(
        """
        contracts = "my/contracts"
        [lake]
        folder = "/absolute"
        [kafka]
        bootstrap = "b:1"
        security = "ssl"
        ca_file = "ca.pem"
        [sources.t]
        kind = "files"
        contract = "robot.state@1"
        path = "in"
        [sources.k]
        kind = "kafka"
        contract = "robot.state@1"
        topic = "t"
        """
    )
    settings = load(file, {})
    folder = file.parent
    assert settings.contracts == folder / "my/contracts"
    assert settings.lake.folder == Path("/absolute")
    assert settings.recovery.folder == folder / "var/recovery"
    assert settings.kafka is not None
    assert settings.kafka.ca_file == folder / "ca.pem"
    assert isinstance(settings.sources["t"], FileSource)
    assert settings.sources["t"].path == folder / "in"
    assert isinstance(settings.sources["k"], KafkaSource)
    assert load(None, {}).recovery.folder == Path("var/recovery")


def test_secrets_show_nowhere(file):
    """Neither repr nor str of settings nor a refusal contains a password, wherever it came from."""
    text = f"""
        [lake]
        postgres = "postgresql://u:{SECRET}@h/d"
        [kafka]
        bootstrap = "b:1"
        security = "sasl_ssl"
        mechanism = "PLAIN"
        username = "u"
        key_password = "{SECRET}"
        """
    file.write_text(text)
    settings = load(file, {"TAKT_KAFKA__PASSWORD": SECRET})
    for shown in (repr(settings), str(settings), repr(settings.kafka), str(settings.model_dump())):
        assert SECRET not in shown
    assert settings.kafka is not None
    assert settings.kafka.password is not None
    assert settings.kafka.password.get_secret_value() == SECRET
    assert settings.lake.postgres is not None
    assert SECRET in settings.lake.postgres.get_secret_value()
    refusal = refused(file, text + "nonsense = 1\n", {"TAKT_KAFKA__PASSWORD": SECRET, "TAKT_WORKERS": "x"})
    assert len(refusal) == 3
    assert SECRET not in "".join(refusal)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[kafka]\nbootstrap = "b:1"\nsecurity = "sasl_ssl"\nusername = "u"', "kafka: .* needs mechanism, password"),
        (
            '[kafka]\nbootstrap = "b:1"\nmechanism = "PLAIN"',
            "kafka: security plaintext does not use mechanism; sasl_ssl",
        ),
        ('[kafka]\nbootstrap = "b:1"\nca_file = "ca.pem"', "kafka: security plaintext does not use ca_file; ssl or"),
        ('[sources.k]\nkind = "kafka"\ncontract = "c"\ntopic = "t"', r"'k' reads Kafka, but there is no \[kafka\]"),
        ('[lake]\npostgres = "host=h dbname=d"', "lake: postgres must be a URL"),
        (
            "".join(f'[sources.{name}]\nkind = "files"\ncontract = "task@1"\npath = "day"\n' for name in "ab"),
            "sources 'a' and 'b' both read day: all of it would count twice",
        ),
        ("[time]\ndedupe_s = 60\nlateness_s = 60\ndisorder_s = 5", "time: dedupe_s must be at least"),
    ],
)
def test_what_does_not_fit_together_is_refused(file, text, told):
    """Settings that are valid one by one and contradict each other are refused with the reason."""
    file.write_text(text)
    with pytest.raises(SettingsError, match=told):
        load(file, {})


@given(
    st.sampled_from(["window_s", "disorder_s", "lateness_s", "dedupe_s", "idle_after_s"]),
    st.sampled_from([math.nan, math.inf, -math.inf, -1.0, -0.001, 1e18, 1e300]),
)
def test_times_that_no_clock_shows_are_refused(key, value):
    """Neither negative nor endless nor undefined spans get to where they would break arithmetic."""
    with pytest.raises(SettingsError, match=rf"time\.{key}: .*\(set by TAKT_TIME__{key.upper()}\)"):
        load(None, {f"TAKT_TIME__{key.upper()}": str(value)})
