"""What is said of sources whose contract no flow can work on."""

from __future__ import annotations

import pytest

from flows.kinds import contract_of
from flows.settings import FileSource, Settings
from schemas.errors import SettingsError


def test_a_contract_that_is_not_there_is_told_with_its_setting(tmp_path):
    """The message names the key to correct, and what may stand there."""
    source = FileSource(kind="files", contract="robot.stat@1", path=tmp_path)
    with pytest.raises(SettingsError) as caught:
        contract_of(Settings(sources={"robots": source}), "robots")
    assert caught.value.what == "sources.robots.contract: there is no contract 'robot.stat@1'"
    assert "robot.state@1" in caught.value.fix
