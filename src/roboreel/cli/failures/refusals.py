"""What to type instead, after roboreel refused a command."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path

from roboreel.cli.command_line import RepeatedOptionError
from roboreel.cli.failures.advice import (
    RESULTS,
    Advice,
    AmbiguousError,
    MisplacedWordsError,
    NoOutputError,
    NoSourceError,
    NoUnitError,
    example_source,
    replaced,
    shortened,
    spelled,
    suggested_output,
    typed,
    with_output,
)
from roboreel.cli.failures.unknown_options import with_features
from roboreel.cli.failures.view_remedies import no_view_lines, view_lines
from roboreel.cli.text.typed_options import as_typed
from roboreel.dataset.open import datasets_inside, open_dataset
from roboreel.edit.datasets_differ import DatasetsDifferError, DifferentRatesError, MergeWay
from roboreel.edit.selection import FramesOutsideError
from roboreel.errors import (
    DatasetError,
    MissingDependencyError,
    PlanError,
    RoboreelError,
    StorageError,
    UsageError,
)
from roboreel.format.model import INFO
from roboreel.format.repairs import DROP_CAMERAS, SKIP

_INSTALL = re.compile(r"[:;,]?\s*(pip install '[^']+')")
_ABSENT = re.compile(r"'([^']+)': no such folder")
_NO_FEATURE = re.compile(r"no (?:feature|camera) ('[^:]+'): the dataset has (.*)")
_AS_TYPED = re.compile(r"--resize \d+x\d+|--allow-missing [^\n]+?(?= to write it without)")
"""Options that a plan asks for."""
_VIEW = re.compile(r"(?:the view file |^)'([^']+\.view\.json)' (?:was made|cannot be)")
"""A view file that cannot be used as it is."""
_PART = re.compile(r"'([^']+)' is not a LeRobot dataset\n.* part of the dataset '([^']+)'")
_UNDONE = re.compile(r"choose one by its name, such as '([^']+)'")
_NO_VIEW = re.compile(
    r"'([^']+)'(?:: the name of a view file ends in| is a view file: it stores its edits)"
)
_NOTHING = "nothing to write: no edit was given"
_IS_FILE = re.compile(r"'([^']+)': a file, not a dataset's folder")
_IS_VIEW = re.compile(r"'([^']+)' is a view file, but a dataset is needed here")
_QUOTED = re.compile(r"'([^']+)'")
_JUDGES = ("check", "repair")
"""Commands that tell more of a damaged dataset than that it is damaged."""
_NAME_FEATURES = ("features", "encode", "stats")
"""Commands whose options name features."""
_SEVERAL = ("info", "check", "stats")
"""Commands that take several datasets."""
_SHOWN = 3
_LONGEST_LINE = 500
"""Most characters of a suggested line: nobody copies a longer one."""
_OUT = ("-o", "--out")
_ALL = "re-encodes the videos of all"
_MOMENTS = ("--start", "--end")
_DROP = "--drop-missing-cameras"
_KEPT = "are done and kept in"


def refusal(error: RoboreelError, words: Sequence[str]) -> Advice:
    """The message of an error, and lines to type instead.

    Args:
        error: why the command was refused.
        words: the arguments as typed.
    """
    return Advice(_message(error), tuple(_lines(error, words)))


def _message(error: RoboreelError) -> str:
    text = str(error)
    return _INSTALL.sub("", text) if isinstance(error, MissingDependencyError) else text


def _lines(error: RoboreelError, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    if isinstance(error, AmbiguousError):
        for word, meaning in error.readings.items():
            option = error.option
            read = _replaced(words, option, word) if option else replaced(words, error.word, word)
            yield typed(with_output(read)), meaning
    elif isinstance(error, NoUnitError):
        for unit, meaning in (("s", "seconds"), ("f", "frames")):
            yield typed(with_output(_with_unit(words, unit))), meaning
    elif isinstance(error, RepeatedOptionError):
        if error.takes_list:
            yield from _short(_given_once(words, error.option))
    elif isinstance(error, MisplacedWordsError):
        yield typed(part for word in words for part in error.meant.get(word, [word])), ""
    elif isinstance(error, NoOutputError) and _is_output(words):
        yield typed([*words[:-1], "-o", words[-1]]), f"'{words[-1]}' does not exist"
    elif isinstance(error, NoOutputError):
        words = _completed(words)
        name = shortened(suggested_output(error.source, _command(words)))
        yield typed([*words, "-o", name]), ""
        if error.in_place:
            yield typed([*words, "--in-place"]), "keeps the original next to it"
    elif isinstance(error, NoSourceError):
        yield typed([*words, example_source()]), ""
    elif isinstance(error, MissingDependencyError):
        for line in _INSTALL.findall(str(error)):
            yield line, ""
    elif isinstance(error, FramesOutsideError):
        yield from _elsewhere(words, error)
    elif isinstance(error, (DifferentRatesError, DatasetsDifferError)):
        yield from _merges(words, error)
    elif 'pass on_broken="skip"' in str(error) or SKIP in str(error):
        yield from _skipping(words, str(error))
    elif isinstance(error, PlanError) and (found := _AS_TYPED.search(as_typed(str(error)))):
        scales = found[0].startswith("--resize")
        line = ["encode", *words[1:]] if scales and words[0] == "write" else words
        if _command(line) in ("encode", "merge") or not (scales or _command(line) == "repair"):
            yield from _short([*line, *shlex.split(found[0])])
    elif (unknown := _NO_FEATURE.search(str(error))) is not None:
        names, known = (_QUOTED.findall(part) for part in unknown.groups())
        yield from _features_named(words, names, known)
    elif (view := _IS_VIEW.search(str(error))) is not None:
        yield typed(["write", view[1], "-o", shortened(suggested_output(view[1], "write"))]), ""
    elif (undone := _UNDONE.search(str(error))) is not None and words[0] == "undo":
        yield (
            typed(_replaced(words, "--version", undone[1])),
            "restores what the last undo replaced",
        )
    elif (no_view := _NO_VIEW.search(str(error))) is not None:
        yield from no_view_lines(words, no_view[1])
    elif str(error).startswith(_NOTHING):
        yield typed([_command(words), "--help"]), ""
    elif isinstance(error, UsageError):
        yield from _other_output(words, str(error))
    elif (absent := _ABSENT.search(str(error))) is not None and absent[1] in words:
        for name in _near(absent[1]):
            yield typed(replaced(words, absent[1], name)), ""
        yield from _to_check(words)
    elif (view := _VIEW.search(str(error))) is not None:
        yield from view_lines(view[1], str(error))
    elif isinstance(error, (DatasetError, StorageError)):
        inner = [*_inside(words), *_above(words, str(error))]
        yield from inner or _to_check(words)


def _above(words: Sequence[str], message: str) -> Iterator[tuple[str, str]]:
    """The arguments with the dataset of which a folder or file is a part."""
    if (found := _PART.search(message)) is not None and found[1] in words:
        yield from _short(replaced(words, found[1], found[2]))
    elif (found := _IS_FILE.search(message)) is not None:
        above = [str(one) for one in Path(found[1]).parents[:4] if (one / INFO).is_file()]
        yield from _short(replaced(words, found[1], above[0])) if above else ()


def _datasets_inside(path: str) -> list[str]:
    try:
        return datasets_inside(path) if os.path.isdir(path) else []
    except RoboreelError:
        return []


def _elsewhere(words: Sequence[str], error: FramesOutsideError) -> Iterator[tuple[str, str]]:
    """The command for the other episodes, and what leaves these out first."""
    others, outside = spelled(error.others), spelled(error.outside)
    named = f"episodes {outside}" if len(error.outside) > 1 and outside else "these episodes"
    named = f"episode {error.outside[0]}" if len(error.outside) == 1 else named
    if others and not {"--episode", "--ranges"} & {*words}:
        yield from _short(_replaced(words, "--episodes", others), f"leaves {named} whole")
    if outside and error.others:
        gone = ["delete", "--episodes", outside]
        in_view = words[0] == "edit"
        line = [*words[:2], *gone] if in_view else with_output([gone[0], words[1], *gone[1:]])
        yield from _short(line, f"deletes {named}; then trim the result")


def _merges(
    words: Sequence[str], error: DifferentRatesError | DatasetsDifferError
) -> Iterator[tuple[str, str]]:
    """The merges that work; `edit VIEW from` has no options for them, so they write a dataset."""
    if words[0] == "edit":
        words = ["merge", *words[3:]]
        words += ["-o", shortened(suggested_output(words[1], "merge"))]
    typed_as = {os.path.abspath(word): word for word in words}
    for url in error.to_resample:
        url = typed_as.get(os.path.abspath(url), url)
        output = shortened(suggested_output(url, "resample"))
        line = ["resample", url, "--fps", str(error.rate), "-o", output]
        yield from _short(line, f"re-encodes only '{url}'; then merge the result in its place")
    if isinstance(error, DifferentRatesError):
        yield from _short([*words, "--fps", str(error.rate)], _ALL * error.reencodes)
        return
    for way in error.ways:
        done = [way.effect, "scales cameras" * (way.size is not None), _ALL * error.reencodes]
        line = _merged(words, way, error.rate)
        yield from _short(line, "; ".join(effect for effect in done if effect))
    for url in error.without_videos:
        output = shortened(suggested_output(url, "repair"))
        line = ["repair", url, "--drop-missing-cameras", "-o", output]
        yield from _short(line, "leaves out cameras without videos; then merge the result")


def _merged(words: Sequence[str], way: MergeWay, rate: Fraction | None) -> list[str]:
    """The arguments of a merge that works."""
    line = [*words]
    if way.features != "strict" or "--features" in words:
        line = _replaced(words, "--features", way.features)
    line += [part for pair in way.rename.items() for part in ("--rename", "=".join(pair))]
    line += [part for name in way.allow_missing for part in ("--allow-missing", name)]
    line += [] if way.size is None else ["--resize", "{}x{}".format(*way.size)]
    return line if rate is None else [*line, "--fps", str(rate)]


def _with_unit(words: Sequence[str], unit: str) -> list[str]:
    """The arguments with a unit of moments that lack one."""
    line = [*words]
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        value = value if equals else "".join(words[at + 1 : at + 2])
        if option in _MOMENTS and re.fullmatch(r"-?\d+", value):
            line[at + (not equals)] += unit
    return line


def _given_once(words: Sequence[str], option: str) -> list[str]:
    """The arguments with all values of an option as one list."""
    values: list[str] = []
    line: list[str] = []
    first, rest = len(words), iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name != option:
            line.append(word)
            continue
        first = min(first, len(line))
        values.append(value if equals else next(rest, ""))
    return [*line[:first], option, ",".join(values), *line[first:]]


def _replaced(words: Sequence[str], option: str, value: str) -> list[str]:
    """The arguments with another value of an option, or with the option at the end."""
    at = next((at for at, word in enumerate(words) if word.split("=")[0] == option), len(words))
    after = words[at + (1 if at < len(words) and "=" in words[at] else 2) :]
    return [*words[:at], option, value, *after]


def _inside(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The arguments with the datasets inside a folder that is none itself, or with the one above it."""
    for at, word in enumerate(words[1:], start=1):
        inner = _datasets_inside(word)
        if inner and _command(words) in _SEVERAL:
            line = typed([*words[:at], *inner, *words[at + 1 :]])
            if len(line) <= _LONGEST_LINE:
                yield line, ""
                return
        for one in inner[:_SHOWN]:
            yield from _short([*words[:at], one, *words[at + 1 :]])
        if inner:
            return


def _to_check(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The check of the datasets that could not be opened."""
    if _command(words) in _JUDGES:
        return
    known = [word for word in words[1:] if os.path.isdir(os.path.join(word, "meta"))]
    bad = [word for word in known if not _opens(word)]
    if bad:
        yield from _short(["check", *bad], "lists all problems, and how to repair them")


def _opens(path: str) -> bool:
    try:
        open_dataset(path)
    except RoboreelError:
        return False
    return True


def _features_named(
    words: Sequence[str], names: Sequence[str], known: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """The arguments with the whole names of features of which the last part was typed."""
    meant = {name: _whole_names(name, known) for name in names}
    if (whole := with_features(words)) != words:
        yield from _short(whole, f"has {' and '.join(names)}")
        return
    for number in range(_SHOWN if len(names) == 1 else 1):
        line = [*words]
        for name, found in meant.items():
            line = [_named_whole(word, name, one) for word in line for one in found[number:][:1]]
        if line:
            yield from _short(line)


def _whole_names(name: str, known: Sequence[str]) -> list[str]:
    """The features that a name may be the last part of, else the most similar one."""
    by_end = {one.rpartition(".")[2]: one for one in known}
    near = [by_end[end] for end in get_close_matches(name, by_end, 1)]
    ending = [one for one in known if one.endswith(f".{name}")]
    return ending or get_close_matches(name, known, 1) or near


def _named_whole(word: str, name: str, whole: str) -> str:
    """`top` as `observation.images.top`, `top=front` likewise on both sides, and `top` in a list."""
    old, equals, new = word.partition("=")
    if not equals:
        return ",".join(whole if part == name else part for part in word.split(","))
    if old != name:
        return word
    return f"{whole}={new if '.' in new or not new else whole.removesuffix(name) + new}"


def _completed(words: Sequence[str]) -> list[str]:
    """The arguments with whole names of features, where the dataset can be opened to know them."""
    if _command(words) not in _NAME_FEATURES or not os.path.isdir(words[1]):
        return [*words]
    try:
        known = [*open_dataset(words[1]).features]
    except RoboreelError:
        return [*words]
    line = [*words]
    for name in {part for word in words[2:] for part in word.partition("=")[0].split(",")}:
        ending = [one for one in known if one.endswith(f".{name}")]
        if name not in known and len(ending) == 1:
            line = [*line[:2], *(_named_whole(word, name, ending[0]) for word in line[2:])]
    return line


def _is_output(words: Sequence[str]) -> bool:
    """True if the last source of a merge is more likely its output: nothing is there."""
    last = words[-1]
    others = _command(words) != "merge" or last.startswith("-") or "/" in last
    return not others and not os.path.lexists(last)


def _command(words: Sequence[str]) -> str:
    return next((word for word in words if not word.startswith("-")), "")


def _short(words: Sequence[str], comment: str = "") -> Iterator[tuple[str, str]]:
    """The line to type, unless it is too long to be copied."""
    line = typed(words)
    if len(line) <= _LONGEST_LINE:
        yield line, comment


def _skipping(words: Sequence[str], message: str) -> Iterator[tuple[str, str]]:
    """The command that leaves broken episodes out, and goes on where a run has stopped."""
    if DROP_CAMERAS in message and _command(words) == "repair" and _DROP not in words:
        yield from _short([*words, _DROP], "leaves out cameras without videos")
        return
    if _command(words) not in RESULTS or "--on-broken" in words:
        return
    kept = ["--resume"] if _KEPT in message and "--resume" not in words else []
    yield from _short([*words, "--on-broken", "skip", *kept], "leaves these episodes out")


def _other_output(words: Sequence[str], message: str) -> Iterator[tuple[str, str]]:
    """The command with an output that doesn't exist, if the given one does and the message is about it."""
    for number, word in enumerate(words[:-1]):
        out = words[number + 1]
        if word in _OUT and _names(message, out) and os.path.lexists(out):
            base, count = out.rstrip("/"), 2
            while os.path.lexists(f"{base}_{count}"):
                count += 1
            other = [*words[: number + 1], f"{base}_{count}", *words[number + 2 :]]
            yield from _short(other, f"'{out}' is not changed")


def _names(message: str, path: str) -> bool:
    """True if a message has a path, and not only its letters within a word."""
    return re.search(rf"(?<!\w){re.escape(path)}(?!\w)", message) is not None


def _near(path: str) -> list[str]:
    """Datasets beside a path that doesn't exist whose names are similar."""
    folder = os.path.dirname(path)
    try:
        names = sorted(os.listdir(folder or "."))
    except OSError:
        return []
    found = [
        name for name in names if os.path.isfile(os.path.join(folder, name, "meta", "info.json"))
    ]
    near = get_close_matches(os.path.basename(path.rstrip("/")), found, _SHOWN)
    return [os.path.join(folder, name) for name in near]
