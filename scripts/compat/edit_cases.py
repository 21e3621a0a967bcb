"""Which edits are made of which datasets, by both sides, and what each result must be made of."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cases import READERS, Source

import roboreel

Stretch = tuple[int, int, int | None]
"""An episode of the source, and which of its frames, `[start, stop)`; None for its end."""

TOP = "observation.images.top"


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """An edit by roboreel, what it must give, and the same one by lerobot where it has it."""

    name: str
    make: Callable[[Path], Any]  # Any: a view, which roboreel does not export by its protocol
    """The view, from where the source lies."""
    taken: tuple[Stretch, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    added: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    tasks: Mapping[int, str] = field(default_factory=dict)
    """Task of all rows of a result's episode, where it has changed."""
    encoded: tuple[str, ...] = ()
    """Cameras whose pictures are compared by the numbers that are painted on them."""
    target: str | None = None
    """Version to write, where it is not the source's."""
    theirs: tuple[str, dict[str, Any]] | None = None
    """lerobot's operation and its arguments."""
    part: str = ""
    """Folder within lerobot's result."""
    pair: bool = False
    """True where lerobot takes the source twice."""

    def version(self, source: Source) -> str:
        return self.target or source.version


def edits(source: Source) -> Iterator[Edit]:
    """The edits of a dataset; more of those whose pictures are numbered."""
    info = roboreel.open(source.path)
    lengths = [int(length) for length in info.episodes["length"].to_pylist()]
    count, last = len(lengths), len(lengths) - 1
    every: list[Stretch] = [(n, 0, None) for n in range(count)]
    gone = [n for n in (1, 4) if n < count]
    kept = tuple(every[n] for n in range(count) if n not in gone)
    yield Edit(
        name="delete",
        make=lambda path: roboreel.open(path).delete(gone),
        taken=kept,
        theirs=("delete", {"episodes": gone}),
    )
    first = int(count * 0.6)
    for part, taken in {"a": every[:first], "b": every[first:]}.items():
        yield Edit(
            name=f"split-{part}",
            make=_taking_part(part),
            taken=tuple(taken),
            theirs=("split", {"splits": {"a": 0.6, "b": 0.4}}),
            part=part,
        )
    yield Edit(
        name="merge",
        make=lambda path: roboreel.concat([roboreel.open(path), roboreel.open(path)]),
        taken=(*every, *every),
        theirs=("merge", {}),
        pair=True,
    )
    rows = sum(lengths)
    values = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2) / 7
    yield Edit(
        name="add",
        make=lambda path: roboreel.open(path).add("extra", values),
        taken=tuple(every),
        added={"extra": values},
        theirs=(
            "add",
            {
                "name": "extra",
                "values": values.tolist(),
                "feature": {"dtype": "float32", "shape": [2], "names": None},
            },
        ),
    )
    yield Edit(
        name="remove",
        make=lambda path: roboreel.open(path).remove("observation.state"),
        taken=tuple(every),
        removed=("observation.state",),
        theirs=("remove", {"names": ["observation.state"]}),
    )
    tasks = dict.fromkeys(range(count), "all the same") | {last: "but for the last"}
    yield Edit(
        name="tasks",
        make=lambda path: roboreel.open(path).set_tasks(
            "all the same", episodes={last: "but for the last"}
        ),
        taken=tuple(every),
        tasks=tasks,
        theirs=("tasks", {"new_task": "all the same", "episode_tasks": {last: "but for the last"}}),
    )
    yield from _own(source, lengths)


def _taking_part(part: str) -> Callable[[Path], Any]:  # Any: as in `Edit.make`
    return lambda path: roboreel.open(path).split({"a": 0.6, "b": 0.4})[part]


def _own(source: Source, lengths: list[int]) -> Iterator[Edit]:
    """What lerobot does not do, or not alone."""
    count = len(lengths)
    cut = {0: (2, lengths[0] - 3), count - 1: (0, max(1, lengths[-1] // 2))}
    order = list(reversed(range(count)))
    yield Edit(
        name="reorder-rename",
        make=lambda path: (
            roboreel.open(path).reorder(order).rename({"observation.state": "observation.joints"})
        ),
        taken=tuple((n, 0, None) for n in order),
        renamed={"observation.state": "observation.joints"},
    )
    if source.version == "v3.0":  # elsewhere a cut needs an encoder
        yield Edit(
            name="trim",
            make=lambda path: roboreel.open(path).trim(cut),
            taken=tuple((n, *cut.get(n, (0, None))) for n in range(count)),
        )
    if source.release and any(f.is_camera for f in _features(source)):
        encoding = roboreel.Encoding(vcodec="h264", g=10, crf=20, pix_fmt="yuv420p")
        yield Edit(
            name="encode",
            make=lambda path: roboreel.open(path).encode({TOP: encoding}),
            taken=tuple((n, 0, None) for n in range(count)),
            encoded=(TOP,),
        )


def _features(source: Source) -> list[roboreel.Feature]:
    return list(roboreel.open(source.path).features.values())


def readers(edit: Edit, source: Source) -> tuple[str, ...]:
    """The releases that read the result."""
    return READERS[edit.version(source)]  # type: ignore[index]
