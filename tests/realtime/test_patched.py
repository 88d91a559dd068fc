"""The socket tests in a process that gevent monkey-patches at its start, as under Locust."""

from __future__ import annotations

from pathlib import Path

from nested import nested_pytest

HERE = Path(__file__).parent
FILES = ("test_connect.py", "test_connection.py", "test_pushes.py", "test_socket.py", "test_tls.py")
RUN = """
from gevent import monkey
monkey.patch_all()
import sys, pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_socket_tests_in_a_patched_process(tmp_path: Path) -> None:
    files = [str(HERE / name) for name in FILES]
    done = nested_pytest(tmp_path, *files, python=("-c", RUN))
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
