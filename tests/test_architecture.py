"""The layers and house rules of `src/roboreel`, read from its syntax trees.

Each rule is a function from the parsed modules to a list of offenders. One test runs it over the
package, another over a few lines that break it: a rule that cannot fail holds nothing.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "roboreel"

LAYER_ROW = re.compile(r"^\| `([^`]+)` \|.*\|([^|]*)\|$", re.MULTILINE)
EVERYWHERE = ("errors", "types")
FRONTENDS = {"cli", "torch", "web"}
"""Their modules mirror what they show, and so may have its names."""


def layers_of(page: str) -> dict[str, tuple[str, ...]]:
    """What each layer may import besides itself, by the table of layers; `""` is `__init__.py`."""
    table = page.partition("## Layers")[2].partition("\n## ")[0]
    rows = {
        _layer(name): tuple(_layer(one) for one in re.findall("`([^`]+)`", allowed))
        for name, allowed in LAYER_ROW.findall(table)
    }
    return {name: (*allowed, *EVERYWHERE) for name, allowed in rows.items()} | {
        "errors": (),
        "types": (),
    }


def _layer(name: str) -> str:
    return "" if name == "roboreel" else name.removesuffix("/").removesuffix(".py")


PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
LAYERS = layers_of(PAGE)

ROOM_TABLE = re.compile(r"^### Rooms of `([^`]+)/`$(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
ROOM_ROW = re.compile(r"^\| (`[^|]*) \|.*\|([^|]*)\|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Room:
    """A row of the tables of rooms: a folder of a layer, and modules that are beside it."""

    members: tuple[str, ...]
    allowed: tuple[str, ...]
    """Members of other rooms, of the same layer."""


def rooms_of(page: str) -> dict[str, list[Room]]:
    """The rooms of each layer that has some, from the top."""
    return {
        layer: [
            Room(tuple(map(_layer, _quoted(names))), tuple(_quoted(allowed)))
            for names, allowed in ROOM_ROW.findall(table)
        ]
        for layer, table in ROOM_TABLE.findall(page)
    }


def _quoted(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


ROOMS = rooms_of(PAGE)

PURE_LAYERS = {"edit", "plan", "stats", "format"}
IMPURE = re.compile(
    r"(os|io|shutil|tempfile|subprocess|socket|time|random|av|fsspec"
    r"|pathlib(?!\.Pure)|pyarrow\.(parquet|dataset|fs|csv|feather))(\..+)?"
)
CODECS = ("av", "torchcodec", "decord")
CODEC_LAYERS = {"storage", "testing"}
"""`testing` writes its videos with its own code: a test is no echo of what it tests."""

FRAMEWORKS = ("torch", "torchvision", "pandas", "datasets", "lerobot", "PIL", "cv2")
FRAMEWORK_LAYERS = {"torch"}
"""The core is for scripts and robots, too: importing a framework takes seconds, and hundreds of MB."""

LAZY_IMPORTS = {
    "av": "loading ffmpeg takes a noticeable part of a second, and copying tables never needs it",
    "pyarrow.parquet": "only reading and writing files needs it, `import roboreel` does not",
    "data_juicer": "optional: its own installation, which takes half a minute to import",
    "fsspec": "optional: extra `remote`",
    "torchcodec": "optional: extra `torchcodec`",
    "decord": "optional: extra `decord`",
    "roboreel.testing": "draws and encodes pictures: only the demo needs it",
    "huggingface_hub": "optional: extra `hub`",
    "packaging": "comes with huggingface_hub: extra `hub`",
    "typer": "only the command needs it",
    "roboreel.cli.main": "an interrupt of its import is to end as one of the command does",
    "roboreel.cli.settings": "only a command that runs needs it: help and completion are to be quick",
    "roboreel.cli.failures.refusals": "only a command that fails needs it",
    "roboreel.cli.failures.parse_failures": "only a command that fails needs it",
    "roboreel.executors.ray_executor": "optional: extra `ray`",
    "roboreel.ray.episode_datasource": "imports ray: extra `ray`",
    "roboreel.ray.episode_datasink": "imports ray: extra `ray`",
    "rich": "only where a bar is drawn",
    "roboreel.recording.recorder": "only a dataset that records needs it: 100 modules and 4 MB",
    "roboreel.ops.inputs": 'only `vcodec="auto"` asks which encoders work',
}
"""What a function may import on its own, and why."""

JUDGE = "diffing"
JUDGE_KNOWS = (
    JUDGE, "dataset.dataset", "dataset.open", "hub.open_reference", "stats", "format", "storage",
    "errors", "types", "summary",
)  # fmt: skip
"""What compares datasets may import: nothing of what it is to judge, and no survey, whose decisions could
hide a defect."""

JUDGED = ("plan", "runner", "ops", "survey", "checking")
"""What decides and does the work: the comparison must not reach it by any way."""

FILE_CALLS = re.compile(
    r"(builtins\.open|io\.(open|open_code|FileIO)|shutil\.(?!get_terminal_size).+|tempfile\..+"
    r"|os\.(open|rename|renames|replace|remove|unlink|rmdir|removedirs|mkdir|makedirs|link|symlink|truncate))"
)
PATH_METHODS = {"write_text": 1, "write_bytes": 1, "read_text": 0, "read_bytes": 0, "unlink": 0}
PATH_METHODS |= {"mkdir": 0, "rmdir": 0, "touch": 0, "rename": 1, "replace": 1, "open": 0}
"""Methods of `Path` that touch the disk, with their positional arguments: `str.replace` has two."""

FILE_DOORS = ("storage.local", "storage.disk", "testing")
VERSIONS = {"v2.0", "v2.1", "v3.0"}
MAX_LINES = 400

RUN_WHEN_NAMED = {"real", "compat", "cluster"}
NOT_TESTS = {"data", "__pycache__"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    target: str
    line: int
    in_function: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    name: str
    """Dotted, without `roboreel`: `format.v21`; the top `__init__` is empty."""
    file: str
    tree: ast.Module
    lines: int
    imports: tuple[Import, ...]

    @property
    def layer(self) -> str:
        return self.name.split(".")[0]

    def at(self, line: int) -> str:
        return f"{self.file}:{line}"


def parsed(source: Path) -> list[Module]:
    """Every module below the package folder `source`."""
    names = {path: _dotted(path.relative_to(source)) for path in sorted(source.rglob("*.py"))}
    known = {f"roboreel.{name}".rstrip(".") for name in names.values()}
    modules = []
    for path, name in names.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, filename=str(path))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        modules.append(
            Module(
                name=name,
                file=str(path.relative_to(source)),
                tree=tree,
                lines=len(text.splitlines()),
                imports=tuple(_imports(tree, f"roboreel.{package}".rstrip("."), known)),
            )
        )
    return modules


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(tree: ast.Module, package: str, known: set[str]) -> Iterator[Import]:
    inside = _nodes_in_functions(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            # `from a import b` loads the module a.b where there is one; abroad nobody knows.
            members = [f"{base}.{alias.name}" for alias in node.names]
            foreign = base.split(".")[0] != "roboreel"
            targets = [name if foreign or name in known else base for name in members]
        else:
            continue
        for target in targets:
            yield Import(target=target, line=node.lineno, in_function=node in inside)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _nodes_in_functions(tree: ast.Module) -> set[ast.AST]:
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node for function in functions for node in ast.walk(function)}


def _below(target: str, name: str) -> bool:
    return target == name or target.startswith(f"{name}.")


def upward_imports(modules: list[Module]) -> list[str]:
    """Imports of a layer that the importing one may not know."""
    offenders = []
    for module in modules:
        if module.layer not in LAYERS:
            offenders.append(f"{module.file}: layer '{module.layer}' has no row in ARCHITECTURE.md")
            continue
        for found in module.imports:
            if not _below(found.target, "roboreel"):
                continue
            target = found.target.removeprefix("roboreel").lstrip(".")
            if not _allowed(module.layer, target):
                offenders.append(f"{module.at(found.line)} imports roboreel.{target}".rstrip("."))
    return offenders


def _allowed(layer: str, target: str) -> bool:
    if target.split(".")[0] == layer:
        return True
    return any(_below(target, name) if name else not target for name in LAYERS[layer])


def strays_between_rooms(modules: list[Module]) -> list[str]:
    """Modules of a layer with rooms that are in none, and imports that a room's row does not name."""
    offenders = []
    for module in (m for m in modules if m.layer in ROOMS):
        room = _room_of(module.name, module.layer)
        if room is None and module.name != module.layer:
            offenders.append(f"{module.file}: is in no row of the rooms of '{module.layer}'")
            continue
        for found in module.imports:
            target = found.target.removeprefix("roboreel.")
            if not _below(found.target, "roboreel") or not _below(target, module.layer):
                continue
            other = _room_of(target, module.layer)
            allowed = room.allowed if room else ()
            if other is not room and not (other and set(other.members) & set(allowed)):
                offenders.append(f"{module.at(found.line)} imports roboreel.{target}")
    return offenders


def _room_of(name: str, layer: str) -> Room | None:
    member = name.split(".")[1] if "." in name else "__init__"
    return next((room for room in ROOMS[layer] if member in room.members), None)


def unused_allowances(modules: list[Module]) -> list[str]:
    """Rooms that a row names, and no module of its room imports."""
    return [
        f"{layer}/{room.members[0]} imports no module of {name}"
        for layer, rooms in ROOMS.items()
        for room in rooms
        for name in room.allowed
        if not any(
            name in other.members
            for module in modules
            if module.layer == layer and _room_of(module.name, layer) is room
            for found in module.imports
            if _below(found.target, f"roboreel.{layer}")
            and (other := _room_of(found.target.removeprefix("roboreel."), layer))
        )
    ]


def upward_rooms(rooms: list[Room]) -> list[str]:
    """Rooms that may import one which is not further down."""
    return [
        f"{room.members[0]} may import {name}"
        for row, room in enumerate(rooms)
        for name in room.allowed
        if not any(name in lower.members for lower in rooms[row + 1 :])
    ]


def partial_judges(modules: list[Module]) -> list[str]:
    """Imports of the comparison that lead to what it judges."""
    return [
        f"{module.at(found.line)} imports {found.target}"
        for module in modules
        if _below(module.name, JUDGE)
        for found in module.imports
        if _below(found.target, "roboreel")
        and not any(_below(found.target, f"roboreel.{name}") for name in JUDGE_KNOWS)
    ]


def judges_that_reach(modules: list[Module]) -> list[str]:
    """What the comparison would load of what it judges, by whatever way."""
    by_name = {module.name: module for module in modules}
    way = {module.name: "" for module in modules if _below(module.name, JUDGE)}
    waiting = list(way)
    while waiting:
        name = waiting.pop()
        for found in by_name[name].imports:
            target = found.target.removeprefix("roboreel").lstrip(".")
            if _below(found.target, "roboreel") and target in by_name and target not in way:
                way[target] = name
                waiting.append(target)
    return [
        f"{by_name[way[name]].file} imports roboreel.{name}"
        for name in sorted(way)
        if any(_below(name, judged) for judged in JUDGED)
    ]


def impurities(modules: list[Module]) -> list[str]:
    """Imports and calls in the pure layers that reach for disk, clock, network or codecs."""
    offenders = []
    for module in (m for m in modules if m.layer in PURE_LAYERS):
        impure = [found for found in module.imports if IMPURE.fullmatch(found.target)]
        offenders += [f"{module.at(found.line)} imports {found.target}" for found in impure]
        offenders += [f"{module.at(line)} calls {call}" for line, call in _file_calls(module)]
    return offenders


def stray_codecs(modules: list[Module]) -> list[str]:
    """Imports of `av` and its like where no codec belongs, be they for types only."""
    return [
        f"{module.at(found.line)} imports {found.target}"
        for module in modules
        for found in module.imports
        if any(_below(found.target, codec) for codec in CODECS) and module.layer not in CODEC_LAYERS
    ]


def stray_frameworks(modules: list[Module]) -> list[str]:
    """Imports of torch and what belongs to it outside `torch/`."""
    return [
        f"{module.at(found.line)} imports {found.target}"
        for module in modules
        for found in module.imports
        if found.target.split(".")[0] in FRAMEWORKS and module.layer not in FRAMEWORK_LAYERS
    ]


def unexplained_lazy_imports(modules: list[Module]) -> list[str]:
    """Imports inside functions of anything that LAZY_IMPORTS gives no reason for."""
    return [
        f"{module.at(found.line)} imports {found.target} inside a function"
        for module in modules
        for found in module.imports
        if found.in_function and not any(_below(found.target, name) for name in LAZY_IMPORTS)
    ]


def stray_file_access(modules: list[Module]) -> list[str]:
    """Calls that open, move or delete files anywhere but in the one module that may."""
    return [
        f"{module.at(line)} calls {call}"
        for module in modules
        if not any(_below(module.name, door) for door in FILE_DOORS)
        for line, call in _file_calls(module)
    ]


def _file_calls(module: Module) -> Iterator[tuple[int, str]]:
    bound = _bindings(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            name = _resolved(node.func, bound)
            if FILE_CALLS.fullmatch(name) or _is_path_method(node, bound):
                yield node.lineno, name


def _bindings(module: Module) -> dict[str, str]:
    """What imported and defined names of the module stand for."""
    bound = {"open": "builtins.open"}
    for definition in module.tree.body:
        if isinstance(definition, ast.FunctionDef | ast.ClassDef):
            bound[definition.name] = f"roboreel.{module.name}.{definition.name}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            bound |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:  # `import os.path` binds `os`
                top = alias.name.split(".")[0]
                bound[alias.asname or top] = alias.name if alias.asname else top
    return bound


def _resolved(node: ast.expr, bound: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return bound.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_resolved(node.value, bound)}.{node.attr}"
    return "…"


def _is_path_method(call: ast.Call, bound: dict[str, str]) -> bool:
    """Whether the call looks like a method of a `Path`: types are not known here, arguments are."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in PATH_METHODS:
        return False
    called_on = call.func.value
    if isinstance(called_on, ast.Name) and called_on.id in bound:  # such as av.open
        return False
    if call.func.attr == "open":
        return not call.args or _is_mode(call.args[0])
    fields = call.func.attr in {"rename", "replace"} and call.keywords  # datetime, dataclasses
    return len(call.args) == PATH_METHODS[call.func.attr] and not fields


def _is_mode(node: ast.expr) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, str) and re.fullmatch(r"[rwxabt+]{1,4}", value) is not None


def stray_versions(modules: list[Module]) -> list[str]:
    """Version literals of the format outside `format/` and the test data writer."""
    return [
        f"{module.at(node.lineno)} has the literal '{node.value}'"
        for module in modules
        if module.layer not in {"format", "testing"}
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and node.value in VERSIONS
    ]


def long_modules(modules: list[Module]) -> list[str]:
    """Modules that hold more than one concept, going by their length."""
    return [f"{m.file}: {m.lines} lines" for m in modules if m.lines > MAX_LINES]


def import_circles(modules: list[Module]) -> list[str]:
    """Modules that import each other, directly or by a detour, be it for types only."""
    known = {module.name: module for module in modules}
    reached = {name: _reached(name, known) for name in known}
    return sorted(
        f"{known[name].file} imports itself by way of "
        + ", ".join(sorted(other for other in reached[name] if name in reached[other]))
        for name in known
        if name in reached[name]
    )


def _reached(start: str, known: dict[str, Module]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for one in known[waiting.pop()].imports:
            target = one.target.removeprefix("roboreel").lstrip(".")
            if _below(one.target, "roboreel") and target in known and target not in found:
                found.add(target)
                waiting.append(target)
    return found


def shared_names(modules: list[Module]) -> list[str]:
    """Modules, and public classes, of one name outside the frontends."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module in (m for m in modules if m.layer not in FRONTENDS):
        if not module.file.endswith("__init__.py"):
            homes[f"module {module.name.rpartition('.')[2]}"].append(module.file)
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[f"class {node.name}"].append(module.file)
    return [f"{', '.join(files)}: {name}" for name, files in homes.items() if len(files) > 1]


Rule = Callable[[list[Module]], list[str]]


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    found = parsed(SOURCE)
    assert found, f"no modules below {SOURCE}"
    return found


def _hold(rule: Rule, modules: list[Module], remedy: str) -> None:
    offenders = rule(modules)
    assert not offenders, "\n  ".join([remedy, *offenders])


def test_imports_point_down(modules: list[Module]) -> None:
    _hold(
        upward_imports, modules, "Imports point down, see the table of layers in ARCHITECTURE.md:"
    )


def test_imports_between_rooms_are_those_of_the_table(modules: list[Module]) -> None:
    assert "torch" in ROOMS
    _hold(strays_between_rooms, modules, "See the tables of rooms in ARCHITECTURE.md:")
    _hold(unused_allowances, modules, "Their rows in ARCHITECTURE.md say more than is so:")


@pytest.mark.parametrize("layer", ROOMS)
def test_rooms_import_only_rooms_further_down(layer: str) -> None:
    assert len(ROOMS[layer]) > 1
    assert upward_rooms(ROOMS[layer]) == []
    members = [name for room in ROOMS[layer] for name in room.members]
    present = {path.stem for path in (SOURCE / layer).iterdir() if path.stem != "__pycache__"}
    assert sorted({*members, "__init__"}) == sorted(present)


def test_a_room_that_may_import_what_it_never_does_is_found() -> None:
    assert "torch/mixing imports no module of tools" in unused_allowances([])


def test_a_room_that_may_import_one_above_it_is_found() -> None:
    table = "### Rooms of `a/`\n| `b/`, `c.py` | … | `d` |\n| `d/` | … | `c` |\n"
    assert rooms_of(table) == {"a": [Room(("b", "c"), ("d",)), Room(("d",), ("c",))]}
    assert upward_rooms(rooms_of(table)["a"]) == ["d may import c"]


def test_the_comparison_knows_nothing_of_what_it_judges(modules: list[Module]) -> None:
    assert [module for module in modules if _below(module.name, JUDGE)]
    _hold(partial_judges, modules, "diffing/ judges the rest and may not use it:")


def test_the_comparison_reaches_nothing_of_what_it_judges(modules: list[Module]) -> None:
    _hold(judges_that_reach, modules, "diffing/ judges these and may not reach them:")


def test_no_modules_import_each_other(modules: list[Module]) -> None:
    _hold(import_circles, modules, "One of these must not know the others:")


def test_no_two_modules_or_classes_have_one_name(modules: list[Module]) -> None:
    _hold(shared_names, modules, "A name is that of one module, and of one class:")


def test_what_decides_is_pure(modules: list[Module]) -> None:
    _hold(impurities, modules, "These decide and do no I/O; that belongs in storage/ or runner/:")


def test_only_storage_knows_av(modules: list[Module]) -> None:
    _hold(stray_codecs, modules, "Packets and codecs stay in storage/:")


def test_only_torch_knows_torch(modules: list[Module]) -> None:
    _hold(stray_frameworks, modules, "Tensors and data frames stay in torch/:")


def test_imports_stand_at_the_top(modules: list[Module]) -> None:
    _hold(
        unexplained_lazy_imports, modules, "Move these to the top, or give LAZY_IMPORTS a reason:"
    )


def test_all_bytes_pass_through_storage(modules: list[Module]) -> None:
    _hold(
        stray_file_access,
        modules,
        "Files are opened, moved and deleted in storage/local.py or disk.py:",
    )


def test_versions_are_spelled_in_format_only(modules: list[Module]) -> None:
    _hold(stray_versions, modules, "Take these from roboreel.format:")


def test_modules_are_short(modules: list[Module]) -> None:
    _hold(long_modules, modules, f"One concept per module, {MAX_LINES} lines at most:")


def test_every_test_folder_is_run_or_known_to_be_run_by_name(pytestconfig: pytest.Config) -> None:
    run = {Path(path).name for path in pytestconfig.getini("testpaths")}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert not folders - run - RUN_WHEN_NAMED - NOT_TESTS


BROKEN: list[tuple[Rule, str, str, str]] = [
    (upward_imports, "format/a.py", "import roboreel.storage.fs", "imports roboreel.storage.fs"),
    (upward_imports, "format/a.py", "from ..storage import fs", "imports roboreel.storage.fs"),
    (upward_imports, "runner/a.py", "from roboreel.edit import view", "imports roboreel.edit.view"),
    (upward_imports, "runner/a.py", "from roboreel.edit import View", "imports roboreel.edit"),
    (upward_imports, "dataset/a.py", "from roboreel import open", "imports roboreel"),
    (upward_imports, "extra/a.py", "", "layer 'extra' has no row"),
    (strays_between_rooms, "torch/a.py", "", "is in no row of the rooms of 'torch'"),
    (
        strays_between_rooms,
        "torch/batches/a.py",
        "from roboreel.torch.metadata.task_list import TaskList",
        "imports roboreel.torch.metadata",
    ),
    (
        partial_judges,
        "diffing/a.py",
        "from roboreel.edit.view import View",
        "imports roboreel.edit.view",
    ),
    (partial_judges, "diffing/a.py", "import roboreel.ops.write", "imports roboreel.ops.write"),
    (
        partial_judges,
        "diffing/a.py",
        "import roboreel.survey.survey",
        "imports roboreel.survey.survey",
    ),
    (impurities, "edit/a.py", "import os.path", "imports os.path"),
    (impurities, "edit/a.py", "from pathlib import Path", "imports pathlib.Path"),
    (impurities, "edit/a.py", "from pyarrow import parquet", "imports pyarrow.parquet"),
    (impurities, "edit/a.py", "import pyarrow.parquet as pq", "imports pyarrow.parquet"),
    (impurities, "edit/a.py", "open('a')", "calls builtins.open"),
    (stray_codecs, "runner/a.py", "import av", "imports av"),
    (stray_codecs, "runner/a.py", "import decord", "imports decord"),
    (stray_codecs, "dataset/a.py", "from av.video import VideoStream", "imports av.video"),
    (stray_frameworks, "reading/a.py", "def f():\n    import torch.nn", "imports torch.nn"),
    (stray_frameworks, "edit/a.py", "from pandas import DataFrame", "imports pandas.DataFrame"),
    (unexplained_lazy_imports, "runner/a.py", "def f():\n    import json", "imports json inside"),
    (stray_file_access, "runner/a.py", "with open('a') as f: pass", "calls builtins.open"),
    (stray_file_access, "cli/a.py", "path.open('w')", "calls path.open"),
    (
        stray_file_access,
        "runner/a.py",
        "from os import replace\nreplace('a', 'b')",
        "calls os.replace",
    ),
    (stray_file_access, "runner/a.py", "import shutil as s\ns.rmtree('a')", "calls shutil.rmtree"),
    (stray_file_access, "runner/a.py", "import os.path\nos.remove('a')", "calls os.remove"),
    (stray_file_access, "storage/a.py", "(folder / 'a').rename(b)", "calls ….rename"),
    (stray_versions, "ops/write.py", "x = 'v2.1'", "has the literal 'v2.1'"),
    (stray_versions, "cli/a.py", "def f(to: Literal['v3.0']): ...", "has the literal 'v3.0'"),
    (long_modules, "ops/write.py", "x = 1\n" * 401, "401 lines"),
]


@pytest.mark.parametrize(("rule", "file", "text", "offence"), BROKEN)
def test_rule_finds_an_offender(
    tmp_path: Path, rule: Rule, file: str, text: str, offence: str
) -> None:
    (offender,) = rule(_package(tmp_path, {file: text}))
    assert offender.startswith(file)
    assert offence in offender


def test_a_judge_that_reaches_a_compiler_by_a_detour_is_found(tmp_path: Path) -> None:
    detour = {
        "diffing/a.py": "import roboreel.dataset.dataset",
        "dataset/dataset.py": "from roboreel.edit import view",
        "edit/view.py": "from roboreel.plan.compile_video import pack",
        "plan/compile_video.py": "def pack(): ...",
    }
    (offender,) = judges_that_reach(_package(tmp_path, detour))
    assert offender == "edit/view.py imports roboreel.plan.compile_video"


SOUND: list[tuple[Rule, str, str]] = [
    (upward_imports, "runner/a.py", "from roboreel.plan import plan\nfrom . import kernels"),
    (upward_imports, "cli/a.py", "from roboreel import __version__\nimport roboreel.ops.write"),
    (upward_imports, "format/a.py", "from ..errors import Problem"),
    (strays_between_rooms, "torch/mixing/a.py", "import torch\nimport roboreel.torch.sampler"),
    (partial_judges, "diffing/a.py", "import roboreel.storage.fs\nimport json"),
    (partial_judges, "dataset/a.py", "import roboreel.survey.survey"),
    (impurities, "edit/a.py", "from pathlib import PurePosixPath\nimport pyarrow as pa"),
    (stray_codecs, "storage/a.py", "import av"),
    (stray_frameworks, "torch/a.py", "import torch"),
    (unexplained_lazy_imports, "storage/a.py", "def f():\n    import av.container"),
    (stray_file_access, "storage/local.py", "open('a')"),
    (stray_file_access, "dataset/a.py", "def open(path): ...\nopen('a')\nroot.open('meta/a')"),
    (stray_file_access, "runner/a.py", "import av\nav.open('a')\n'ab'.replace('a', 'b')"),
    (stray_versions, "format/a.py", "x = 'v2.1'"),
    (stray_versions, "runner/a.py", "'''Reads v2.1 and v3.0.'''"),
]


@pytest.mark.parametrize(("rule", "file", "text"), SOUND)
def test_rule_lets_sound_code_pass(tmp_path: Path, rule: Rule, file: str, text: str) -> None:
    assert rule(_package(tmp_path, {file: text})) == []


def _package(folder: Path, files: dict[str, str]) -> list[Module]:
    """A package of `files` besides the modules that they import."""
    known = dict.fromkeys(("__init__.py", "storage/fs.py", "plan/plan.py", "edit/view.py"), "")
    for name, text in (known | files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return parsed(folder)
