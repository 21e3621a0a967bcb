"""Help: whole lines at every width, examples that are valid, options that are all described."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from roboreel.cli.catalog import ENTRIES
from roboreel.cli.help_page import PANELS, described
from roboreel.cli.main import app
from roboreel.cli.text.terminal import BASIC, MID_TONES
from tests.unit.cli.conftest import Roboreel

NAMES = [entry.name for entry in ENTRIES]


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command and group below one, by how it is called."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{path} {name}")


ROOT: Any = typer.main.get_command(app)
COMMANDS = {path: one for path, one in _commands(ROOT, "roboreel") if path != "roboreel"}


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_overview_fits(roboreel: Roboreel, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    shown = roboreel("--help").out
    assert all(len(line) <= int(width) for line in shown.splitlines())
    assert len(shown.splitlines()) <= 48
    for entry in ENTRIES:
        assert re.search(rf"^  {entry.name} +{re.escape(entry.summary)}$", shown, re.MULTILINE)


@pytest.mark.parametrize("path", COMMANDS)
@pytest.mark.parametrize("width", ["80", "120"])
def test_help_fits(
    roboreel: Roboreel, monkeypatch: pytest.MonkeyPatch, path: str, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    words = path.split()[1:]
    words[1:1] = ["x.view.json"] if words[0] == "edit" and len(words) > 1 else []
    done = roboreel(*words, "-h")
    assert (done.code, done.err) == (0, "")
    limit = int(width)
    examples = described(COMMANDS[path].help)[1]
    for line in done.out.splitlines():
        assert len(line) <= limit or line.strip() in examples
    assert "<" not in done.out
    assert "\x1b" not in done.out


@pytest.mark.parametrize("name", NAMES)
def test_a_command_has_two_examples_that_are_valid(name: str) -> None:
    command = ROOT.commands[name]
    examples = described(command.help)[1]
    assert len(examples) == 2
    for line in examples:
        words = shlex.split(line)
        assert words[:2] == ["roboreel", name]
        ROOT.make_context("roboreel", [name], resilient_parsing=True)
        command.make_context(name, words[2:])


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_says_what_it_does(path: str) -> None:
    for param in COMMANDS[path].params:
        assert param.help, param.name
        if param.param_type_name == "option":
            assert getattr(param, "rich_help_panel", None) in (None, *PANELS)
            takes_value = not getattr(param, "is_flag", False) and not getattr(
                param, "count", False
            )
            assert bool(param.metavar) == takes_value, param.name


@pytest.mark.parametrize("path", COMMANDS)
def test_listed_choices_are_the_ones_that_are_accepted(path: str) -> None:
    context = COMMANDS[path].make_context(path, [], resilient_parsing=True)
    for param in COMMANDS[path].params:
        accepted = [one.value for one in param.shell_complete(context, "") if one.type == "plain"]
        if accepted and param.metavar != "VERSION":
            assert accepted == param.metavar.split("|"), param.name


def test_options_of_the_encoder_have_rows_where_videos_are_always_encoded(
    roboreel: Roboreel,
) -> None:
    one_row = "  --vcodec, --pix-fmt, --g, --crf, --preset, --fast-decode\n"
    for name in NAMES:
        shown = roboreel(name, "-h").out
        assert "(`encode`" not in shown
        encodes = any(one.name == "vcodec" for one in COMMANDS[f"roboreel {name}"].params)
        assert (one_row in shown) == (encodes and name not in ("encode", "resample"))
    encode, resample = (" ".join(roboreel(n, "-h").out.split()) for n in ("encode", "resample"))
    assert "--g N Put a keyframe every N frames. Default: 2." in encode
    assert "--g N Put a keyframe every N frames. Default: as in the source, at most 30." in resample
    assert "--crf X" in resample


def test_only_the_command_that_runs_is_imported() -> None:
    fresh: Any = typer.main.get_command(app)
    context = fresh.make_context("roboreel", [], resilient_parsing=True)
    assert [one.value for one in fresh.shell_complete(context, "de")] == ["delete", "demo"]
    assert not fresh.commands._built


@pytest.mark.parametrize("words", [["-V"], ["--version"]])
def test_the_version_is_printed(roboreel: Roboreel, words: list[str]) -> None:
    assert re.fullmatch(r"roboreel \S+\n", roboreel(*words).out)


def test_colours_are_asked_for_and_refused(
    roboreel: Roboreel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1mUsage\x1b[0m" in roboreel("info", "-h").out
    assert "error\x1b[0m: " in roboreel("inof").err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in roboreel("info", "-h").out + roboreel("inof").err


@pytest.mark.parametrize("tone", ["error", "warning", "note", "option"])
def test_tones_are_readable_on_black_and_on_white(tone: Any) -> None:
    """A contrast of 3.5 to both; of the 216 colours of the cube, by the formula of WCAG."""
    number = int(MID_TONES[tone].split(";")[-1]) - 16
    levels = [0, 95, 135, 175, 215, 255]
    rgb = [levels[number // 36], levels[number // 6 % 6], levels[number % 6]]
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in rgb]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert min((light + 0.05) / 0.05, 1.05 / (light + 0.05)) >= 3.5
    assert BASIC[tone] != "33"
