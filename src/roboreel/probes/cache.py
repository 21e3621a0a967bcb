"""Probe answers in the user's cache folder, so that unchanged files are not read again.

`cache_part`, `code_line`, `sealed` and `make_room` serve the other caches in that folder too.

One cache file per dataset: a line that identifies the code, a digest of the rest, then one Arrow stream per
section. The cache never causes an error: a file that is unreadable, damaged or written by other code is
ignored. Whoever can write to this folder can mislead roboreel, just as with its code.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.format.inventory import FileFacts
from roboreel.probes.probe_request import KEY_BYTES
from roboreel.storage import disk
from roboreel.storage.fs import inside
from roboreel.storage.local import LocalRoot, trusted_bytes
from roboreel.storage.modes import PRIVATE
from roboreel.storage.root import Root
from roboreel.storage.scratch import is_scratch

FEWEST_FILES = 64
"""Smaller datasets are surveyed faster than a cache is read."""
MOST_DATASETS, MOST_BYTES = 20, 500 << 20
_FRESH_NS = 2_000_000_000
"""A file that was just written may be written again without a change of its stamp."""
_ABANDONED_NS = 24 * 3600 * 1_000_000_000
_NAME = re.compile(r"[0-9a-f]{32}(\.[a-z]+)")
_ENDING = ".answers"
_ANSWERING = ("format/", "probes/", "stats/", "storage/")
"""The packages whose code computes answers."""
_DIGEST_BYTES = 32
_KEY, _SECTION = "key", b"section"


@dataclass(frozen=True, slots=True)
class CachedAnswers:
    """The cached answers for some keys."""

    rows: Sequence[int | None]
    """For each key the row of its answer; None if not cached."""
    answers: pa.Table | None = None

    def completed(self, fresh: pa.Table) -> pa.Table:
        """The answers for all keys in order; `fresh` has those that were not cached."""
        if self.answers is None:
            return fresh
        following = iter(range(len(self.answers), len(self.answers) + len(fresh)))
        rows = [next(following) if row is None else row for row in self.rows]
        both = pa.concat_tables([self.answers, fresh]).unify_dictionaries().combine_chunks()
        if rows == list(range(len(both))):
            return both
        return both.take(pa.array(rows, pa.int64())).combine_chunks()


@dataclass(slots=True)
class FileCache:
    """The cache file of one dataset."""

    folder: LocalRoot
    name: str
    code: bytes
    """Identifies the code that computed the answers."""
    begun_ns: int = field(default_factory=time.time_ns)
    _sections: dict[str, pa.Table] = field(default_factory=dict)
    _changed: bool = False

    def __post_init__(self) -> None:
        with contextlib.suppress(StorageError, pa.ArrowException, ValueError, KeyError, OSError):
            self._sections = _parsed(self.folder.read(self.name), self.code)

    def lookup(self, section: str, keys: Sequence[bytes]) -> CachedAnswers:
        """The cached answers for these keys."""
        stored = self._sections.get(section)
        if stored is None:
            return CachedAnswers([None] * len(keys))
        row_of = {key: row for row, key in enumerate(stored[_KEY].to_pylist())}
        return CachedAnswers([row_of.get(key) for key in keys], stored.drop_columns([_KEY]))

    def store(
        self, section: str, keys: Sequence[bytes], files: Sequence[FileFacts], answers: pa.Table
    ) -> None:
        """Replace a section by these answers, except of files that failed or were just written."""
        failed = answers["error"].is_valid().to_pylist()
        latest = self.begun_ns - _FRESH_NS
        rows = [n for n, f in enumerate(files) if not failed[n] and int(f.stamp) < latest]
        kept = answers if len(rows) == len(answers) else answers.take(pa.array(rows, pa.int64()))
        key = pa.array([keys[row] for row in rows], pa.binary(KEY_BYTES))
        stored = self._sections.get(section)
        if stored is None or not stored[_KEY].combine_chunks().equals(key):
            self._changed = True
            self._sections[section] = kept.append_column(_KEY, key)

    def save(self) -> None:
        """Write the cache file if it changed, and remove old ones; errors are ignored."""
        with contextlib.suppress(StorageError, OSError):
            make_private(self.folder)
            if not self._changed:
                return
            data = _rendered(self._sections, self.code)
            if len(data) <= MOST_BYTES:
                self.folder.put(self.name, data)
                make_room(self.folder, _ENDING, most_files=MOST_DATASETS, most_bytes=MOST_BYTES)


def cache_of(root: Root, *, files: int) -> FileCache | None:
    """The cache of a dataset; None if it is small or remote, or caching is off."""
    folder = cache_folder()
    if folder is None or files < FEWEST_FILES or not isinstance(root, LocalRoot):
        return None
    code, surveys = _code(), cache_part("surveys")
    if code is None or surveys is None or inside(folder, root.path):
        return None
    return FileCache(surveys, name_of(os.path.abspath(root.path), _ENDING), code)


def name_of(path: str, ending: str) -> str:
    """The name of a dataset's cache file, from the path of the dataset."""
    digest = blake2b(path.encode("utf-8", "surrogateescape"), digest_size=16)
    return f"{digest.hexdigest()}{ending}"


def cache_part(name: str) -> LocalRoot | None:
    """A folder in the user's cache folder, which may not exist yet.

    None if caching is off, or the folder belongs to another user.
    """
    folder = cache_folder()
    if folder is None:
        return None
    part = os.path.join(folder, name)
    return LocalRoot(part, modes=PRIVATE) if _is_own(part) else None


def is_fresh(stamp: str, *, now_ns: int | None = None) -> bool:
    """True if a file was written so recently that it could change again under the same stamp."""
    now = time.time_ns() if now_ns is None else now_ns
    return not stamp.isdigit() or now - int(stamp) < _FRESH_NS


def _is_own(folder: str) -> bool:
    """False if the folder belongs to another user: its content must not be trusted."""
    try:
        found = os.stat(folder)
    except OSError:
        return True
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def make_private(folder: LocalRoot) -> None:
    """Remove other users' permissions on a cache folder; earlier releases left them to the umask."""
    if os.path.isdir(folder.url) and os.stat(folder.url).st_mode & 0o077:
        disk.set_mode(folder.url, PRIVATE.folder)


def cache_folder() -> str | None:
    """The user's cache folder: `$ROBOREEL_CACHE`, `$XDG_CACHE_HOME/roboreel` or `~/.cache/roboreel`.

    None if `$ROBOREEL_CACHE` is `off`, or there is no home folder.
    """
    chosen = os.environ.get("ROBOREEL_CACHE")
    if chosen:
        return None if chosen.lower() == "off" else os.path.abspath(os.path.expanduser(chosen))
    shared = os.environ.get("XDG_CACHE_HOME", "")
    base = shared if os.path.isabs(shared) else os.path.expanduser("~/.cache")
    return os.path.join(base, "roboreel") if os.path.isabs(base) else None


def _code() -> bytes | None:
    return code_line("survey", _ANSWERING)


@lru_cache(maxsize=8)
def code_line(cache: str, sources: tuple[str, ...]) -> bytes | None:
    """A line that changes with the code that computes what a cache keeps; None if it cannot be read.

    Args:
        cache: what is kept.
        sources: modules (`errors.py`) and packages (`format/`) that compute it.
    """
    package = Path(__file__).parent.parent
    digest = blake2b(digest_size=16)
    try:
        for name in LocalRoot(package).list():
            if name.endswith(".py") and name.startswith(sources):
                digest.update(name.encode() + b"\0" + trusted_bytes(package / name) + b"\0")
    except (StorageError, OSError):
        return None
    versions = f"{pa.__version__} {np.__version__}"
    return f"roboreel {cache} {digest.hexdigest()} {versions}\n".encode()


def sealed(body: bytes, code: bytes) -> bytes:
    """The content of a cache file: the line of the code that wrote it, a digest, then the body."""
    return b"".join((code, blake2b(body, digest_size=_DIGEST_BYTES).digest(), body))


def unsealed(data: bytes, code: bytes) -> memoryview | None:
    """The body of a cache file; None if it is damaged or written by other code."""
    start = len(code) + _DIGEST_BYTES
    body = memoryview(data)[start:]
    digest = blake2b(body, digest_size=_DIGEST_BYTES).digest()
    return body if data[: len(code)] == code and data[len(code) : start] == digest else None


def _rendered(sections: dict[str, pa.Table], code: bytes) -> bytes:
    output = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
    for section, table in sections.items():
        named = _compact(table).replace_schema_metadata({_SECTION: section.encode()})
        with pa.ipc.new_stream(output, named.schema, options=options) as writer:
            writer.write_table(named)
    return sealed(output.getvalue().to_pybytes(), code)


def _parsed(data: bytes, code: bytes) -> dict[str, pa.Table]:
    """The sections of a cache file; empty if it is damaged or written by other code."""
    body = unsealed(data, code)
    if body is None:
        return {}
    source = pa.BufferReader(pa.py_buffer(body))
    sections: dict[str, pa.Table] = {}
    while source.tell() < source.size():
        table = pa.ipc.open_stream(source).read_all()
        table.validate()
        sections[table.schema.metadata[_SECTION].decode()] = table.combine_chunks()
    return sections


def _compact(table: pa.Table) -> pa.Table:
    """The table without unused dictionary entries."""
    for at, item in enumerate(table.schema):
        column = table.column(at).combine_chunks()
        if pa.types.is_dictionary(item.type) and len(column.unique()) < len(column.dictionary):
            used = np.unique(column.indices.drop_null().to_numpy())
            new_from_old = np.zeros(len(column.dictionary), dtype=np.int32)
            new_from_old[used] = np.arange(len(used))
            # take keeps null indices null
            codes = pa.array(new_from_old).take(column.indices)
            kept = pa.DictionaryArray.from_arrays(codes, column.dictionary.take(pa.array(used)))
            table = table.set_column(at, item.name, kept)
    return table


def make_room(folder: LocalRoot, ending: str, *, most_files: int, most_bytes: int) -> None:
    """Remove the oldest files of a cache beyond its limits, and abandoned scratch files.

    Args:
        folder: a folder of caches; files with other names stay.
        ending: of the names that `name_of` made for this cache.
        most_files: how many to keep.
        most_bytes: how much they may take together.
    """
    now = time.time_ns()
    complete: list[tuple[int, int, str]] = []
    partial: list[tuple[int, int, str]] = []
    for name in folder.list():
        ours = _NAME.fullmatch(name)
        if not is_scratch(name) and (ours is None or ours[1] != ending):
            continue
        with contextlib.suppress(StorageError):  # another process may have removed it
            facts = folder.stat(name)
            kind = partial if ours is None else complete
            kind.append((int(facts.stamp), facts.size_bytes, name))
    complete.sort(reverse=True)
    sizes = np.cumsum([size for _, size, _ in complete])
    beyond = [
        name for n, (_, _, name) in enumerate(complete) if n >= most_files or sizes[n] > most_bytes
    ]
    _remove(folder, [*beyond, *(n for stamp, _, n in partial if now - stamp > _ABANDONED_NS)])


def _remove(folder: LocalRoot, names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(StorageError):
            folder.remove(name)
