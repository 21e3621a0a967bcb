"""Pages of the site that are not files below docs/: references made from the code, and pages at the top.

`mkdocs build` calls these functions by their names. Links that leave docs/ lead to the pages below, or to the
repository. A page that would make the browser ask another host ends the build.
"""

from __future__ import annotations

import importlib
import inspect
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import typer.main
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from roboreel.cli.help_page import described
from roboreel.cli.main import app

ROOT = Path(__file__).parent.parent
TOP_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "bench/README.md": "benchmarks.md",
    "scripts/compat/README.md": "compatibility.md",
    "docs/design": "design/index.md",
    "README.md": "index.md",
}
"""Pages outside of docs/, by their paths in the repository."""

PYTHON = {
    "Open and look": ("open", "open_view", "Dataset", "check", "check_stats", "diff", "pull"),
    "Edit and write": (
        *("View", "concat", "add_video", "write", "convert", "convert_dataset", "repair"),
        *("plan_write", "plan_convert", "run", "Plan"),
    ),
    "Originals and interrupted runs": ("undo", "kept_versions", "remove_kept", "recover"),
    "Read and record": ("reader", "Reader", "decode_video_frames", "Recorder"),
    "Options": (
        *("WriteOptions", "RunOptions", "ReadOptions", "RepairChoices", "Encoding", "Reencoding"),
        *("Feature", "FormatVersion"),
    ),
    "Reports": (
        *("Report", "CheckReport", "StatsReport", "DiffReport", "Difference", "RepairReport"),
        *("RepairStep", "PullReport", "KeptVersion", "Undone", "Problem"),
    ),
    "Errors": (
        *("RoboreelError", "DatasetError", "PlanError", "RunError", "StorageError", "VideoError"),
        *("UsageError", "HubError", "MissingDependencyError"),
    ),
}
"""The public names in the order of the reference."""

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_FENCE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"?(https?:)?//[^>]*>")


def on_config(config: Any) -> Any:
    """List the design notes in the navigation."""
    notes = sorted((ROOT / "docs/design").glob("*.md"))
    inside = next(part["Inside"] for part in config.nav if "Inside" in part)
    inside[-1] = {
        "Design notes": [
            "design/index.md",
            *({_title(note): f"design/{note.name}"} for note in notes),
        ]
    }
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that are made."""
    for name, page in _made().items():
        files.append(File.generated(config, name, content=page))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Lead links that leave docs/ to the site's pages or to the repository."""
    sources = {site: source for source, site in TOP_PAGES.items()}
    here = page.file.src_uri
    source = sources.get(here, f"docs/{here}") if here != "index.md" else "docs/index.md"
    return relinked(markdown, source, here, config.repo_url)


def on_post_build(*, config: Any) -> None:
    """End the build if a page loads something from another host."""
    for path in Path(config.site_dir).rglob("*.html"):
        found = _LOADED.search(path.read_text("utf-8"))
        if found and "canonical" not in found[0]:
            raise PluginError(f"{path.name} loads from another host: {found[0]}")


def relinked(markdown: str, source: str, here: str, repository: str) -> str:
    """A page's text with links for the page `here` of the site; its file in the repository is `source`."""

    def lead(link: re.Match[str]) -> str:
        target = link[2]
        if "://" in target or target.startswith(("#", "mailto:")):
            return link[0]
        path, hash_, anchor = target.partition("#")
        return f"{link[1]}{_led(path, source, here, repository)}{hash_}{anchor}{link[3]}"

    parts, last = [], 0
    for code in _FENCE.finditer(markdown):
        parts += [_LINK.sub(lead, markdown[last : code.start()]), code[0]]
        last = code.end()
    return "".join([*parts, _LINK.sub(lead, markdown[last:])])


def _led(path: str, source: str, here: str, repository: str) -> str:
    full = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    site = TOP_PAGES.get(full)
    if site is None and full.startswith("docs/"):
        site = full.removeprefix("docs/")
    if site is None:
        return f"{repository}/blob/main/{full}"
    return posixpath.relpath(site, posixpath.dirname(here) or ".")


def _made() -> dict[str, str]:
    notes = sorted((ROOT / "docs/design").glob("*.md"))
    listed = "\n".join(f"- [{_title(note)}]({note.name})" for note in notes)
    top = {site: source for source, site in TOP_PAGES.items() if source.endswith(".md")}
    pages = {
        site: (ROOT / source).read_text("utf-8")
        for site, source in top.items()
        if site != "index.md"
    }
    return pages | {
        "design/index.md": f"# Design notes\n\nWhy things are as they are.\n\n{listed}\n",
        "reference/commands.md": commands_page(),
        "reference/python.md": python_page("roboreel", PYTHON, "Python"),
        "reference/torch.md": python_page(
            "roboreel.torch", {"Names": _public("roboreel.torch")}, "roboreel.torch"
        ),
        "reference/more.md": python_page(
            "roboreel.sink", {"`roboreel.sink`": _public("roboreel.sink")}, "Export and test data"
        )
        + python_page("roboreel.ray", {"`roboreel.ray`": _public("roboreel.ray")}, "")
        + python_page("roboreel.testing", {"`roboreel.testing`": _public("roboreel.testing")}, ""),
    }


def _title(page: Path) -> str:
    return page.read_text("utf-8").partition("\n")[0].lstrip("# ")


def _public(module: str) -> tuple[str, ...]:
    return tuple(importlib.import_module(module).__all__)


def python_page(module: str, groups: Mapping[str, Sequence[str]], title: str) -> str:
    """The reference of a module's names: where each is defined, for mkdocstrings to describe."""
    parts = [f"# {title}\n"] if title else [""]
    for group, names in groups.items():
        parts.append(f"## {group}\n")
        parts += [_described(module, name) for name in names]
    return "\n".join(parts)


def _described(module: str, name: str) -> str:
    heading = f"    options:\n      heading: {module}.{name}\n      toc_label: {name}\n"
    return f"::: {defined_in(module, name)}\n{heading}"


def defined_in(module: str, name: str) -> str:
    """The path of a public name's definition."""
    home = importlib.import_module(module)
    lazy: Mapping[str, str] = getattr(home, "_HOME", {})
    if module == "roboreel.torch":  # its modules need torch, which the site does without
        return f"{module}.{lazy[name]}.{name}"
    value = getattr(home, name)
    if not inspect.isclass(value) and not inspect.isfunction(value):  # an alias of types
        return f"{module}.{name}"
    return f"{value.__module__}.{value.__qualname__}"


def commands_page() -> str:
    """The reference of all commands: their help, as tables."""
    root: Any = typer.main.get_command(app)
    context = click.Context(root, info_name="roboreel")
    parts = ["# Commands", "", "`roboreel COMMAND --help` prints the same.", ""]
    for command in _commands(root, context):
        parts += _command(*command)
    return "\n".join(parts)


def _commands(root: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    for name, command in root.commands.items():
        if command.hidden:
            continue
        below = click.Context(command, info_name=name, parent=context)
        yield below.command_path, command, below
        if hasattr(command, "commands"):
            yield from _commands(command, below)


def _command(path: str, command: Any, context: Any) -> Iterator[str]:
    about, examples = described(command.help or "")
    yield from (f"## {path}", "", _plain(about), "")
    if examples:
        yield from ("```sh", *examples, "```", "")
    yield from ("```text", f"{path} {' '.join(command.collect_usage_pieces(context))}", "```", "")
    rows = [record for one in command.params if (record := _record(one, context))]
    if rows:
        yield from ("| | |", "|---|---|")
        yield from (f"| `{_cell(names)}` | {_cell(_plain(text))} |" for names, text in rows)
        yield ""


def _record(parameter: Any, context: Any) -> tuple[str, str] | None:
    record: tuple[str, str] | None = parameter.get_help_record(context)
    if record is None and not getattr(parameter, "hidden", False):
        return parameter.make_metavar(context), getattr(parameter, "help", None) or ""
    return record


def _plain(text: str) -> str:
    return re.sub(r"([<\[*_])", r"\\\1", text.replace("\b", "").strip())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
