import json
import socket
import subprocess
import sys
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


def test_a_machine_reads_where_the_api_listens(settings: Settings) -> None:
    command = [sys.executable, "-m", "api.cli", "serve", "--json"]
    command += ["--coordinator", str(settings.coordinator), "--tokens", str(settings.tokens)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        address, setup = (json.loads(process.stdout.readline()) for _ in range(2))
        process.terminate()
    assert setup["setup"].startswith(f"{address['address']}/setup?link=")
