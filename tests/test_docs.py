"""The documents against the code: rule ids, links, options.

Each check is a function from texts to a set of offenders, so that it can be shown to find some.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
import typer.main

from roboreel.cli.main import app
from roboreel.format.rules import RULES as REGISTRY
from scripts import charts

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "roboreel"
RULES = ROOT / "docs" / "format" / "rules.md"
CONVERT = ROOT / "docs" / "convert.md"
EDITS = (
    *("delete", "keep", "split", "merge", "trim", "reorder", "shuffle", "features", "tasks"),
    *("resample", "encode", "compact", "undo"),
)
PAGES_OF_COMMANDS = {
    name: ROOT / "docs" / f"{name}.md" for name in ("check", "diff", "repair", "stats")
}
PAGES_OF_COMMANDS |= {
    "pull": ROOT / "docs" / "hub.md",
    "push": ROOT / "docs" / "hub.md",
    "cache": ROOT / "docs" / "reading.md",
}
PAGES_OF_COMMANDS |= dict.fromkeys(("pull", "push"), ROOT / "docs" / "hub.md")
PAGES_OF_COMMANDS |= {"finalize": ROOT / "docs" / "sink.md"}
PAGES_OF_COMMANDS |= dict.fromkeys(EDITS, ROOT / "docs" / "edit.md")
PAGES_OF_COMMANDS |= dict.fromkeys(("edit", "write"), ROOT / "docs" / "views.md")
PAGES_OF_COMMANDS["index"] = ROOT / "docs" / "streaming.md"
PAGES_OF_COMMANDS["config"] = ROOT / "docs" / "command-line.md"
"""Where a command is described; the others in `CONVERT`."""
EVERYWHERE = {"-v", "--verbose"}
"""Options of all commands, described in `command-line.md`."""

REPORTERS = {
    "add",
    "error",
    "breaks",
    "add_broken",
    "add_missing",
    "add_warning",
    "_note",
    "_problem",
}
REPORTERS |= {"Finding", "_finding"}
"""Functions that note a problem; a rule id is among their positional arguments."""

RULE = re.compile(r"[a-z]+\.[a-z]+(?:-[a-z]+)*")
RULE_ROW = re.compile(rf"^\| `({RULE.pattern})` \|", re.MULTILINE)
CITED = re.compile(rf"\[`({RULE.pattern})`\]")
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def rules_used(source: str) -> set[str]:
    """Rule ids that a module reports."""
    return {
        text
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for text in _reported(node)
        if RULE.fullmatch(text)
    }


def _reported(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    values = [keyword.value for keyword in call.keywords if keyword.arg == "rule"]
    values += call.args if name in REPORTERS else []
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def rules_listed(page: str) -> list[str]:
    return RULE_ROW.findall(page)


def rows_of_rules(page: str) -> list[tuple[str, str, str]]:
    """(id, what it says, severity in `check`) of every row, in order."""
    rows = [line.strip("|").split(" | ") for line in page.splitlines() if RULE_ROW.match(line)]
    return [(row[0].strip(" `"), row[1].strip(), row[-1].strip()) for row in rows]


def dead_links(page: Path, text: str) -> set[str]:
    """Relative links of a page that lead to no file, or to no heading in it."""
    targets = [t for t in LINK.findall(CODE.sub("", text)) if "://" not in t]
    return {target for target in targets if not _resolves(page, target)}


def _resolves(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    found = page.parent / name if name else page
    if not found.exists():
        return False
    return not anchor or anchor in {_slug(h) for h in HEADING.findall(found.read_text("utf-8"))}


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def options_of_commands() -> dict[str, set[str]]:
    """Every option of every command, by command."""
    return {name: _own_options(one) for name, one in _commands(typer.main.get_command(app))}


def words_of_commands() -> dict[str, set[str]]:
    """The same, of a group with those of its commands."""
    return {name: _options(one) for name, one in _commands(typer.main.get_command(app))}


def _commands(command: object) -> Iterable[tuple[str, object]]:
    known: Mapping[str, object] = getattr(command, "commands", {})
    return known.items()


def _own_options(command: object) -> set[str]:
    return {option for item in getattr(command, "params", ()) for option in item.opts}


def _options(command: object) -> set[str]:
    return _own_options(command).union(*(_options(below) for _, below in _commands(command)))


def missing_options(page: str, options: Mapping[str, set[str]]) -> set[str]:
    """Options (not arguments, which have no dash) that a page does not name."""
    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", page))
    return {
        f"{name} {o}" for name, all_ in options.items() for o in all_ - EVERYWHERE if o[0] == "-"
    } - {f"{name} {o}" for name in options for o in named}


def _pages() -> list[Path]:
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    return sorted([*found, *ROOT.glob("bench/*.md"), *ROOT.glob("scripts/**/*.md")])


def _used_in_source() -> set[str]:
    return set().union(*(rules_used(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")))


def test_every_rule_that_the_code_reports_is_listed() -> None:
    assert _used_in_source() - set(rules_listed(RULES.read_text("utf-8"))) == set()


def test_every_listed_rule_is_reported_by_the_code() -> None:
    assert set(rules_listed(RULES.read_text("utf-8"))) - _used_in_source() == set()


def test_no_rule_is_listed_twice() -> None:
    listed = rules_listed(RULES.read_text("utf-8"))
    assert sorted(set(listed)) == sorted(listed)


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_cited_rules_are_listed(page: Path) -> None:
    cited = set(CITED.findall(page.read_text("utf-8")))
    assert cited - set(rules_listed(RULES.read_text("utf-8"))) == set()


def test_every_rule_is_cited_by_the_page_of_its_subject() -> None:
    pages = [RULES.parent / f"{version}.md" for version in ("v2.0", "v2.1", "v3.0")]
    pages.append(ROOT / "docs" / "safety.md")
    cited = set().union(*(CITED.findall(page.read_text("utf-8")) for page in pages))
    assert set(rules_listed(RULES.read_text("utf-8"))) - cited == set()


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page: Path) -> None:
    assert dead_links(page, page.read_text("utf-8")) == set()


@pytest.mark.parametrize("command", sorted(options_of_commands()))
def test_every_option_is_described(command: str) -> None:
    page = PAGES_OF_COMMANDS.get(command, CONVERT).read_text("utf-8")
    assert missing_options(page, {command: options_of_commands()[command]}) == set()


@pytest.mark.parametrize("command", sorted(options_of_commands()))
def test_the_commands_are_those_described(command: str) -> None:
    page = PAGES_OF_COMMANDS.get(command, CONVERT).read_text("utf-8")
    assert f"roboreel {command}" in " ".join(page.split())


def test_the_page_of_rules_says_what_the_registry_says() -> None:
    registry = [(rule.id, rule.says, rule.severities) for rule in REGISTRY.values()]
    assert rows_of_rules(RULES.read_text("utf-8")) == registry


def test_rows_of_rules_are_read_from_a_page() -> None:
    page = "| `a.b` | says | all | error | – | note |\n| `a.c-d` | x `y` | v3.0 | – | – | error |"
    assert rows_of_rules(page) == [("a.b", "says", "note"), ("a.c-d", "x `y`", "error")]


@pytest.mark.parametrize(
    ("source", "rules"),
    [
        ("problems.add('a.b', 'text.more')", {"a.b", "text.more"}),
        ("self._finding(member, 'a.b-c', message)", {"a.b-c"}),
        ("Problem(rule='a.b', message='c.d')", {"a.b"}),
        ("facts.get('video.codec')", set()),
        ("problems.error('not a rule', 'x')", set()),
    ],
)
def test_rules_are_found_in_code(source: str, rules: set[str]) -> None:
    assert rules_used(source) == rules


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("[x](nowhere.md)", {"nowhere.md"}),
        ("[x](rules.md#no-such-heading)", {"rules.md#no-such-heading"}),
        ("[x](rules.md) [y](https://example.org/z)", set()),
        ("`f[x](y)`", set()),
    ],
)
def test_dead_links_are_found(text: str, dead: set[str]) -> None:
    assert dead_links(RULES, text) == dead


def test_missing_options_are_found() -> None:
    options = {"convert": {"--workers", "-o"}, "info": {"--json", "path"}}
    assert missing_options("`--workers N`, --js", options) == {"convert -o", "info --json"}


SPOKEN = re.compile(r"(?:`|^\$ |^)roboreel ([a-z]+)((?: [^`\n]*)?)", re.MULTILINE)


def unknown_words(page: str, options: Mapping[str, set[str]]) -> set[str]:
    """Commands and options that a page tells readers to type, and that do not exist."""
    offenders = set()
    for command, rest in SPOKEN.findall("\n".join(CODE.findall(page))):
        known = options.get(command)
        if known is None:
            offenders.add(command)
            continue
        typed = re.findall(r"(?<=\s)--[a-z][a-z-]*", rest.partition("#")[0])
        offenders |= {f"{command} {option}" for option in typed if option not in known}
    return offenders


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_on_pages_exist(page: Path) -> None:
    options = {name: known | {"--help"} for name, known in words_of_commands().items()}
    assert unknown_words(page.read_text("utf-8"), options) == set()


def test_words_that_do_not_exist_are_found() -> None:
    page = "`roboreel delete x --episode 3`, `roboreel remove x`, `roboreel info x --json`"
    options = {"delete": {"--episodes"}, "info": {"--json"}}
    assert unknown_words(page, options) == {"delete --episode", "remove"}


FIGURE = re.compile(r"\b\d+(?:\.\d+)?(?= (?:s|ms|MB|items/s|times)\b)")
"""A number with the unit of something measured."""


def figures_of(text: str) -> set[str]:
    return set(FIGURE.findall(text))


def unmeasured(text: str, measured: str) -> set[str]:
    """Figures of a text that the page of benchmarks does not have, digit by digit."""
    return figures_of(text) - set(re.findall(r"\d+(?:\.\d+)?", measured))


BENCH = (ROOT / "bench" / "README.md").read_text("utf-8")


def test_figures_of_the_readme_are_those_measured() -> None:
    measured = (ROOT / "README.md").read_text("utf-8").partition("## Measured")[2]
    measured = measured.partition("\n## ")[0]
    assert len(figures_of(measured)) > 15
    assert unmeasured(measured, BENCH + _text("CONTRIBUTING.md")) == set()


def test_figures_of_the_changelog_are_those_measured() -> None:
    (line,) = re.findall(r"^- Work with 100,000.*?(?=^- )", _text("CHANGELOG.md"), re.M | re.S)
    assert len(figures_of(line)) > 4
    assert unmeasured(line, BENCH) == set()


def test_figures_that_nobody_measured_are_found() -> None:
    assert unmeasured("1.5 s, 2 times, 3 episodes", "1.52, 2") == {"1.5"}


def test_drawings_show_the_results() -> None:
    drawn = {path.name: path.read_text("utf-8") for path in (ROOT / "docs/assets").glob("*.svg")}
    assert drawn == charts.drawings(), "python scripts/charts.py"
    numbers = set(re.findall(r">(\d+\.\d+) s<", drawn["edits.svg"]))
    assert len(numbers) > 8
    assert numbers - set(re.findall(r"\d+\.\d+", BENCH)) == set()


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")
