"""Which settings a run keeps."""

from __future__ import annotations

from flows.bound import bound_settings
from flows.settings import FileSource, Settings


def test_versions_of_a_contract_may_change_and_kinds_may_not(tmp_path):
    """Length of windows and kinds of sources are bound, versions of contracts and all else are not."""

    def bound(contract: str, window_s: float = 60) -> dict[str, str]:
        source = FileSource(kind="files", contract=contract, path=tmp_path)
        return bound_settings(Settings(sources={"a": source}, time={"window_s": window_s}, workers=int(window_s)))

    assert bound("task@1") == bound("task@2") == bound("task@1", 60.0)
    assert bound("task@1") != bound("robot.state@1")
    assert bound("task@1") != bound("task@1", 30)
