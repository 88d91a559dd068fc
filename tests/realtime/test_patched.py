"""The socket tests in a process that gevent monkey-patches at its start, as under Locust."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
    # Temporary files of its own: at its end pytest removes old ones, as other processes do at that moment.
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'inner'}"]
    arguments = [sys.executable, "-c", RUN, *options, *files]
    done = subprocess.run(
        arguments, cwd=HERE.parent.parent, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
