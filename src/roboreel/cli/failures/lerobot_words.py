"""lerobot's commands and options, answered with the line to type here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from roboreel.cli.catalog import ENTRIES
from roboreel.cli.command_line import options_of, switches_of
from roboreel.cli.failures.advice import (
    RESULTS,
    Advice,
    in_lerobots_folder,
    shortened,
    suggested_output,
    typed,
)
from roboreel.cli.failures.lerobot_catalog import ELSEWHERE, NAMES, OPERATIONS, translation
from roboreel.cli.failures.lerobot_line import LerobotLine, is_scoped, plain, read_line
from roboreel.cli.failures.lerobot_operations import (
    ONE_PER_ROW,
    PADDED,
    PLACEHOLDERS,
    Translate,
    is_guessed,
    nothing_but,
    source_of,
)
from roboreel.errors import listed
from roboreel.format.feature import INDEX_DTYPES

_OURS = {entry.name for entry in ENTRIES}
_EDIT = ("edit_dataset", "edit")
_SOURCES = ("repo_id", "root", "local_dir")
_KEEPS = ("diff", "cache", "write", "tasks", "features")
"""Commands whose other words are kept as typed where a dataset is named with an option."""
_NEW_ROOT = ("new_root", "output_dir", "out_dir", "output_root", "output", "aggr_root", "o", "out")
_NEW_ID = ("new_repo_id", "output_repo_id", "aggr_repo_id")
_SHARED = {
    "num_workers": "--workers",
    "max_workers": "--workers",
    "data_file_size_in_mb": "--data-file-mb",
    "data_files_size_in_mb": "--data-file-mb",
    "video_file_size_in_mb": "--video-file-mb",
    "video_files_size_in_mb": "--video-file-mb",
}
"""Options of several operations, by the options that commands have here."""
_MEANT = {
    "episode_indices": "delete_episodes",
    "splits": "split",
    "repo_ids": "merge",
    "feature_names": "remove_feature",
    "new_task": "modify_tasks",
    "episode_tasks": "modify_tasks",
    "task_replacements": "modify_tasks",
}
"""The operation where none is named, by an option that only it has."""
_OPTIONS = {
    *_MEANT,
    *_SHARED,
    *_NEW_ID,
    *(name for name in _NEW_ROOT if len(name) > len("output")),
    *PADDED,
    *(
        "sources",
        "repo_id",
        "root",
        "roots",
        "local_dir",
        "push_to_hub",
        "config_path",
        "use_process_pool",
    ),
    *("relative_action", "relative_exclude_joints", "skip_image_video", "show_features"),
}
_ENCODER = re.compile(r"(rgb|depth)_encoder\W.*")
_REPLACES = ("delete", "features", "tasks")
"""What lerobot does in place unless told otherwise: a push goes to the same repository then."""
_ALWAYS_WRITES = ("merge", "convert", "repair", "compact")
_ALIKE = 0.8
"""How close a misspelt operation has to be to the one that is suggested."""
_HELP = (("roboreel --help", ""),)


def lerobot_advice(words: Sequence[str]) -> Advice | None:
    """What to type here for a line of lerobot, or of a script for its datasets; None if it isn't one.

    Args:
        words: the arguments as typed.
    """
    own = bool(words) and words[0] in _OURS
    line = read_line(words, switches_of(words[0]) if own else ())
    foreign = [name for name in line.options if _is_foreign(line, name)]
    if own and not foreign:
        return None
    if not own and line.command in ELSEWHERE:
        return _elsewhere(line)
    if line.spelled == "lerobot-info" and not line.options and not line.words:
        return Advice("'lerobot-info' is a command of lerobot", (("roboreel --version", ""),))
    if own and len({*foreign}) == 1 and line.command in _KEEPS and foreign[0] in _SOURCES:
        return Advice(_options_said(line, foreign), ((typed(_without(words, foreign[0])), ""),))
    kind = line.first("type")
    if (
        kind is None
        and not own
        and line.command in _EDIT
        and line.words[:1]
        and line.words[0] in OPERATIONS
    ):
        kind = line.next_word()
    if kind is not None and kind not in OPERATIONS:
        return _misspelt(line, kind)
    asked = kind or next((_MEANT[name] for name in _MEANT if line.has(name)), None)
    if asked is None or line.command not in _EDIT:
        asked = kind or line.command
    no_name = foreign and not line.spelled
    said = (
        _options_said(line, foreign)
        if own or no_name
        else f"'{line.spelled}' is {_what(line.command)}"
    )
    if asked in _EDIT:
        return None if own and not foreign else _no_operation(line, said)
    known = translation(asked)
    if known is None:
        return _answer(line, said, nothing_but(asked)) if own else None
    return _answer(line, said, known[0])


def _without(words: Sequence[str], option: str) -> Iterator[str]:
    """The words as typed, of one option only the value."""
    for word in words:
        name, _, value = word.partition("=")
        if plain(name.lstrip("-")) != option or not name.startswith("-"):
            yield word
        elif value:
            yield value


def _is_foreign(line: LerobotLine, name: str) -> bool:
    """True for an option that only lerobot has; of a command of roboreel, one it doesn't have."""
    if is_scoped(line.as_typed[name]) or _ENCODER.fullmatch(name):
        return True
    known = options_of(line.spelled) if line.spelled in _OURS else {}
    return name in _OPTIONS and name not in known


def _what(command: str) -> str:
    known = translation(command)
    return "a command of lerobot" if known is None else known[1]


def _options_said(line: LerobotLine, names: Sequence[str]) -> str:
    *most, last = dict.fromkeys(line.as_typed[name] for name in names)
    if not most:
        return f"{last} is an option of lerobot"
    return f"{', '.join(most)} and {last} are options of lerobot"


def _elsewhere(line: LerobotLine) -> Advice:
    message, words = ELSEWHERE[line.command]
    own = source_of(line)
    return Advice(message, ((typed(own if word == "SRC" else word for word in words), ""),))


def _misspelt(line: LerobotLine, kind: str) -> Advice:
    said = f"lerobot has no operation '{kind}': it has {', '.join(OPERATIONS)}"
    near = get_close_matches(kind, NAMES, 1, _ALIKE)
    return _answer(line, said, NAMES[near[0]][0]) if near else Advice(said, _HELP)


def _no_operation(line: LerobotLine, said: str) -> Advice:
    config = line.first("config_path")
    if config is not None:
        said = f"config files of lerobot, such as '{config}', are not read: give the options themselves"
        return Advice(said, _HELP)
    return Advice(f"{said}, and --operation.type is missing: {', '.join(OPERATIONS)}", _HELP)


def _answer(line: LerobotLine, said: str, translate: Translate) -> Advice:
    """The line to type, the lines that push its result, and what they leave out."""
    words = translate(line)
    fixed = [name for name in words if name in INDEX_DTYPES]
    if words[0] == "features" and fixed:
        return Advice(
            f"every dataset has {listed(fixed)}, which cannot be removed", _listing(words[1])
        )
    pushed = line.truth("push_to_hub")
    branch = line.first("branch") if pushed else None
    words += _passed(line, words[0])
    words += _output(line, words)
    lines = [(typed(words), _placeholders(words))]
    if pushed:
        more = [] if branch is None else ["--branch", branch]
        lines += [(typed([*push, *more]), "uploads it") for push in _pushes(line, words)]
    return Advice(said, tuple(lines), tuple(_left_out(line)))


def _listing(source: str) -> tuple[tuple[str, str], ...]:
    return ((typed(["features", source]), "lists the others"),)


def _passed(line: LerobotLine, command: str) -> list[str]:
    """Options that do the same for several operations, and those of the command itself."""
    known, words = options_of(command), list[str]()
    for name, option in _SHARED.items():
        if option in known.values() and (value := line.first(name)) is not None:
            words += [option, "1" if value == "0" and option == "--workers" else value]
    if "executor" in known and (pool := line.truth("use_process_pool")) is not None:
        words += ["--executor", "process" if pool else "thread"]
    no_push = "push_to_hub" in known and not line.has("push_to_hub")
    passed_over = ("o", "out", *(["branch"] if no_push else []))
    for name in [name for name in line.left() if name in known and name not in passed_over]:
        line.taken.add(name)
        words += [known[name], *line.options[name]]
    return words


def _output(line: LerobotLine, words: Sequence[str]) -> list[str]:
    """`-o` with what the line names, or with a name that is free."""
    command, source = words[0], words[1]
    only_shows = len(words) == len(("command", "SRC")) and command not in _ALWAYS_WRITES
    if command not in RESULTS or only_shows or (command == "stats" and "--recompute" not in words):
        return []
    if line.truth("overwrite"):
        return ["--in-place"]
    if "--in-place" in words:
        return []
    named = line.first(*_NEW_ROOT)
    if named is not None:
        return ["-o", named]
    new_id = line.first(*_NEW_ID, *(["repo_id"] if command == "merge" else []))
    path = suggested_output(source, command) if new_id is None else in_lerobots_folder(new_id)
    return ["-o", shortened(path)]


def _pushes(line: LerobotLine, words: Sequence[str]) -> Iterator[list[str]]:
    """The arguments that push the result, or each of its parts."""
    command, source = words[:2]
    out = words[-1] if words[-2] == "-o" else source
    repo_id = _repository(line, command, out)
    if command != "split":
        yield ["push", out, repo_id]
        return
    for name in re.findall(r"(?:^|,)([^=,]+)=", words[words.index("--into") + 1]):
        yield ["push", f"{out}/{name}", f"{repo_id}_{name}"]


def _repository(line: LerobotLine, command: str, out: str) -> str:
    """Where lerobot would push: the new name, or the dataset's own where it is edited in place."""
    new, own = line.first(*_NEW_ID), line.first("repo_id")
    if new is not None or own is None or "/" not in own:
        return new or "USER/NAME"
    kept = command in (*_REPLACES, "split", "merge", "convert") or out == own
    return own if kept else f"{own.split('/')[0]}/{os.path.basename(out)}"


def _placeholders(words: Iterable[str]) -> str:
    named = {word: PLACEHOLDERS[word] for word in words if word in PLACEHOLDERS}
    named |= {word.split("=")[1]: ONE_PER_ROW for word in words if is_guessed(word)}
    return "; ".join(f"{word}: {what}" for word, what in named.items())


def _left_out(line: LerobotLine) -> Iterator[str]:
    config = "(config files are not read)"
    left = [
        f"{line.shown(name)} {config if name == 'config_path' else ''}".rstrip()
        for name in line.left()
    ]
    left += line.words
    if left:
        yield f"not carried over: {', '.join(left)}"
