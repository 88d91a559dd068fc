import subprocess
import sys

from nakama_bots.cli.main import main
from nakama_bots.settings.table import SETTINGS


def test_every_setting_is_listed_with_all_its_names(capsys):
    assert main(["settings"]) == 0
    entries = {entry.split()[0]: entry for entry in capsys.readouterr().out.split("\n\n")[1:]}
    assert list(entries) == [setting.flag for setting in SETTINGS]
    for setting in SETTINGS:
        entry = " ".join(entries[setting.flag].split())
        assert f"{setting.variable} {setting.name} = .." in entry
        assert f"{setting.help}; {setting.kind.accepted}; default " in entry


def test_a_closed_pipe_is_not_an_error():
    command = [sys.executable, "-m", "nakama_bots.cli", "settings"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 0
