"""The one tree of exceptions.

    TaktError
    |-- SettingsError      a setting, file or environment variable is wrong; names the key and the fix
    |-- ContractError      a data contract cannot be read, compiled or evolved
    |-- SourceError        an input cannot be read on: expired offset, missing file, broker out of reach
    |-- SinkError          an output was refused: delivery failed, lake not writable, disk full
    |-- RecoveryError      state, lake and topics do not belong together, or the store is not private
    `-- BreakerOpenError   too many rows of a bounded input fail a rule

A bad *message* is never an exception: it ends in quarantine with a reason.
"""


class TaktError(Exception):
    """Base of all errors that Takt raises on purpose.

    `what` says what was wrong and where (file, line, topic, offset, field); `fix` says what to do.
    """

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  fix: {self.fix}"


class SettingsError(TaktError):
    """A setting, settings file or environment variable is wrong."""


class ContractError(TaktError):
    """A data contract cannot be read, compiled to a gate, or follow its earlier version."""


class SourceError(TaktError):
    """An input cannot be read on."""


class SinkError(TaktError):
    """An output was refused."""


class RecoveryError(TaktError):
    """Recovery store, lake and topics do not belong together, or the store is not private."""


class BreakerOpenError(TaktError):
    """Too many rows of a bounded input fail a rule, so reading on would only fill the quarantine."""
