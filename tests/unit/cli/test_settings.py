"""Defaults of the user: precedence, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from roboreel.cli.settings import SETTINGS, config_file, found_settings
from tests.unit.cli.conftest import Roboreel


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the configuration file; no setting is in the environment."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    (tmp_path / "roboreel").mkdir()
    return tmp_path / "roboreel" / "roboreel.toml"


def test_tests_do_not_see_the_defaults_of_who_runs_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    assert Path(config_file()).is_relative_to(tmp_path_factory.getbasetemp())
    assert {found.origin for found in found_settings()} == {"default"}


def test_the_environment_counts_before_the_file(
    roboreel: Roboreel, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('workers = 2\nexecutor = "thread"\n', encoding="utf-8")
    monkeypatch.setenv("ROBOREEL_WORKERS", "3")
    told = json.loads(roboreel("config", "--json").out)
    assert (told["file"], told["exists"]) == (str(file), True)
    assert told["settings"]["workers"] == {"value": 3, "default": "1", "origin": "environment"}
    executor = told["settings"]["executor"]
    assert (executor["value"], executor["origin"]) == ("thread", str(file))
    assert told["settings"]["quiet"] == {"value": False, "default": "false", "origin": "default"}
    assert told["settings"]["data_file_mb"]["value"] is None
    assert told["settings"]["data_file_mb"]["default"] == "the dataset's own, else 100"
    shown = roboreel("config").out
    assert "--workers         3" in shown
    assert "ROBOREEL_WORKERS" in shown


def test_an_option_that_is_typed_counts_first(
    roboreel: Roboreel, file: Path, source: Path, tmp_path: Path
) -> None:
    file.write_text("quiet = true\ndata_file_mb = 1\n", encoding="utf-8")
    command = ("delete", source, "--episodes", "1", "-o")
    assert roboreel(*command, tmp_path / "a").out == ""
    assert json.loads(roboreel(*command, tmp_path / "b", "--json").out)["episodes"] == 3
    assert roboreel("compact", source).code == 0  # a default asks for no output
    limit = json.loads((tmp_path / "a/meta/info.json").read_text())["data_files_size_in_mb"]
    assert limit == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workers = 0", "key 'workers': '0' is not valid: expected an integer of 1 or more"),
        ("workers = true", "key 'workers': 'True' is not valid: expected an integer of 1 or more"),
        ("executor = 'gpu'", "'gpu' is not valid: expected one of serial, thread, process, ray"),
        ("retries = 2", "unknown setting 'retries': expected one of workers, executor"),
        ("workers = ", "is not a valid TOML file: "),
        ("quiet = 'perhaps'", "key 'quiet': 'perhaps' is not valid: expected true or false"),
    ],
)
def test_wrong_values_are_refused_by_name(
    roboreel: Roboreel, file: Path, source: Path, text: str, told: str
) -> None:
    file.write_text(text, encoding="utf-8")
    done = roboreel("delete", source)
    assert done.code == 2
    assert done.err.startswith(f"error: '{file}'")
    assert told in done.err


def test_a_wrong_variable_is_named(
    roboreel: Roboreel, file: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBOREEL_TIMEOUT_FACTOR", "-1")
    told = "error: ROBOREEL_TIMEOUT_FACTOR: '-1' is not valid: expected a number of 0 or more\n"
    assert roboreel("delete", source).err == told


def test_a_misspelled_variable_or_key_is_told(
    roboreel: Roboreel, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBOREEL_WORKER", "4")
    monkeypatch.setenv("ROBOREEL_CACHE", "off")
    done = roboreel("config")
    told = (
        "the variable ROBOREEL_WORKER is no setting and is ignored: did you mean ROBOREEL_WORKERS?"
    )
    assert (done.code, done.err) == (0, f"warning: {told}\n")
    file.write_text("timeout-factor = 2\n", encoding="utf-8")
    assert (
        "unknown setting 'timeout-factor': did you mean timeout_factor?" in roboreel("config").err
    )


def test_a_switch_of_the_file_can_be_turned_off(roboreel: Roboreel, file: Path) -> None:
    file.write_text("quiet = true\n", encoding="utf-8")
    shown = roboreel("config").out
    assert re.search(r"--quiet +true ", shown)
    assert "ROBOREEL_QUIET=false" in shown
    assert "try: ROBOREEL_QUIET=false roboreel check a" in roboreel("check", "a", "--no-quiet").err
