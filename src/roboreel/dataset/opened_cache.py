"""Opened datasets in the user's cache folder, so that a large one opens again without reading its documents.

One cache file per dataset (`probes/cache.py: sealed`): a JSON document, then the names of all files and the
table of episodes as Arrow streams. It counts only while every document and every folder of the dataset is in
the state that it was in. What is missing, damaged or written by other code is never an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from operator import eq
from typing import Any

import pyarrow as pa

from roboreel.errors import Problem, RoboreelError, StorageError
from roboreel.format.model import INFO, Info, Model
from roboreel.probes.cache import (
    cache_folder,
    cache_part,
    code_line,
    is_fresh,
    make_private,
    make_room,
    name_of,
    sealed,
    unsealed,
)
from roboreel.storage.entry_state import EntryState
from roboreel.storage.fs import inside
from roboreel.storage.links import Listing
from roboreel.storage.local import LocalRoot
from roboreel.storage.mounts import any_on_fuse
from roboreel.storage.root import FileStat, Root

FEWEST_NAMES = 2000
"""A dataset with fewer files and fewer episodes opens about as fast without the cache."""
MOST_DATASETS, MOST_BYTES = 100, 500 << 20
_FOLDER, _ENDING = "opened", ".opened"
_OPENING = ("dataset/", "errors.py", "format/", "probes/cache.py", "stats/", "storage/", "types.py")
"""The code that opens datasets."""
_TEXT = "text"
_NAMES_PER_BLOCK = 10_000
"""Names in a text: one at a time fits the processor's cache, all of them would not."""
_FIELDS = ("has_task_list", "extra_columns", "extra_files", "other_files", "hidden_files")
_DAMAGE = (pa.ArrowException, ValueError, KeyError, TypeError, IndexError)


@dataclass(frozen=True, slots=True)
class OpenedDocuments:
    """What opening a dataset finds in its documents and the names of its files."""

    model: Model
    """Without problems of missing videos."""
    files: tuple[str, ...]
    """Names of all files, sorted."""
    stamps: Mapping[str, FileStat]
    """Size and stamp of each document."""


@dataclass(frozen=True, slots=True)
class OpenedCache:
    """The cache file of one dataset."""

    root: LocalRoot
    folder: LocalRoot
    name: str
    begun_ns: int
    """Before anything of the dataset was read."""

    def load(self, parse_info: Callable[[bytes], Info]) -> OpenedDocuments | None:
        """What the cache knows about the dataset as it is now; None if that is nothing.

        Args:
            parse_info: parses `meta/info.json`.
        """
        try:
            data = self.folder.read(self.name)
            code = _code()
            body = None if code is None else unsealed(data, code)
            return None if body is None else self._parsed(body, parse_info)
        except (RoboreelError, OSError, *_DAMAGE):
            return None

    def _parsed(
        self, body: memoryview, parse_info: Callable[[bytes], Info]
    ) -> OpenedDocuments | None:
        source = pa.BufferReader(body.tobytes())  # a copy, because values must be aligned
        found: dict[str, Any] = json.loads("".join(_texts(source)))
        if not self._is_unchanged(*found["states"]):
            return None
        files = tuple(chain.from_iterable(text.split("\0") for text in _texts(source)))
        episodes = pa.ipc.open_stream(source).read_all()
        episodes.validate()
        model = Model(
            info=parse_info(found["info"].encode()),
            tasks=dict(zip(*found["tasks"], strict=True)),
            episodes=episodes,
            problems=tuple(Problem(**problem) for problem in found["problems"]),
            **{name: _tuple(found[name]) for name in _FIELDS},
        )
        stamps = {name: FileStat(size, stamp) for name, size, stamp in found["stamps"]}
        return OpenedDocuments(model, files, stamps)

    def _is_unchanged(self, names: Sequence[str], *states: Sequence[int]) -> bool:
        return all(map(eq, map(self.root.state, names), zip(*states, strict=True)))

    def save(self, opened: OpenedDocuments, listing: Listing) -> None:
        """Keep a dataset, unless it is small, has links, or has just changed; errors are ignored."""
        if max(len(opened.files), len(opened.model.episodes)) < FEWEST_NAMES:
            return
        with contextlib.suppress(StorageError, OSError, *_DAMAGE):
            make_private(self.folder)
            states, code = self._states(opened.stamps, listing), _code()
            if states is None or code is None:
                return
            info = self.root.read(INFO).decode()
            data = sealed(_rendered(opened, info, states), code)
            if len(data) <= MOST_BYTES and self._states(opened.stamps, listing) == states:
                self.folder.put(self.name, data)
                make_room(self.folder, _ENDING, most_files=MOST_DATASETS, most_bytes=MOST_BYTES)

    def _states(
        self, stamps: Mapping[str, FileStat], listing: Listing
    ) -> dict[str, EntryState] | None:
        """The states of all folders and documents; None if they don't vouch for what was read."""
        if listing.folders is None or any_on_fuse(map(self.root.path.joinpath, listing.folders)):
            return None
        states = {name: self.root.state(name) for name in stamps}
        if any(
            stamps[name] != FileStat(state.size_bytes, str(state.modified_ns))
            for name, state in states.items()
        ):
            return None
        states |= listing.folders
        fresh = (is_fresh(str(s.latest_ns), now_ns=self.begun_ns) for s in states.values())
        return None if any(fresh) else states


def opened_cache(root: Root) -> OpenedCache | None:
    """The cache of a dataset on a local disk; None for others, and if caching is off."""
    folder, opened = cache_folder(), cache_part(_FOLDER)
    if folder is None or opened is None or type(root) is not LocalRoot or inside(folder, root.path):
        return None
    name = name_of(os.path.realpath(root.path), _ENDING)
    return OpenedCache(root, opened, name, time.time_ns())


def _code() -> bytes | None:
    return code_line("opened", _OPENING)


def _rendered(opened: OpenedDocuments, info: str, states: Mapping[str, EntryState]) -> bytes:
    model = opened.model
    head = {
        # few objects: many would start a collection of garbage, which takes longer than all of this
        "states": [[*states], *zip(*states.values(), strict=True)],
        "stamps": [[name, stat.size_bytes, stat.stamp] for name, stat in opened.stamps.items()],
        "info": info,
        "tasks": [[*model.tasks.keys()], [*model.tasks.values()]],
        "problems": [asdict(problem) for problem in model.problems],
        **{name: getattr(model, name) for name in _FIELDS},
    }
    output = pa.BufferOutputStream()
    blocks = range(0, len(opened.files), _NAMES_PER_BLOCK)
    names = ["\0".join(opened.files[at : at + _NAMES_PER_BLOCK]) for at in blocks]
    for table in (_of_texts([json.dumps(head)]), _of_texts(names), model.episodes.combine_chunks()):
        options = pa.ipc.IpcWriteOptions(compression="lz4", unify_dictionaries=True)
        with pa.ipc.new_stream(output, table.schema, options=options) as writer:
            writer.write_table(table)
    rendered: bytes = output.getvalue().to_pybytes()
    return rendered


def _of_texts(texts: Sequence[str]) -> pa.Table:
    """A table that has a text in each chunk, so that they are decompressed one at a time."""
    type_ = pa.large_string()
    return pa.table({_TEXT: pa.chunked_array([pa.array([text], type_) for text in texts], type_)})


def _texts(source: pa.BufferReader) -> Iterator[str]:
    """The texts of such a table in a stream."""
    for batch in pa.ipc.open_stream(source):
        yield from batch.column(_TEXT).to_pylist()


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
