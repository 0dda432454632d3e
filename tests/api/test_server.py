import socket
from pathlib import Path

import pytest

from api.server import serve
from api.settings import Settings
from federation.deployment.errors import PortInUse

SETTINGS = Settings(coordinator=Path("no.toml"), tokens=Path("no.json"))


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            serve(SETTINGS, port=port, announce=tmp_path / "address")
    assert not (tmp_path / "address").exists()


def test_a_server_whose_files_are_missing_says_so(tmp_path: Path) -> None:
    assert not serve(SETTINGS, announce=tmp_path / "address")
