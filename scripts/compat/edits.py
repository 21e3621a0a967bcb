"""Proves that lerobot reads what roboreel edits, and finds in it what its own edit gives. See README.md.

python scripts/compat/edits.py --peer 0.6.1=PYTHON --peer 0.4.4=PYTHON --peer 0.3.3=PYTHON \\
    --data FOLDER [--only NAME] [--edit NAME] [--picture-every N] [--out TMP]
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from cases import CONVERTER, Source, sources
from conversion import copy_writable
from edit_cases import Edit, edits, readers
from peers import Peer
from proof import say
from readings import Column, Reading, differences, load, numbers_differ, painted

import roboreel

SOUND_IN_THE_WILD = ("so101_rosbag_v30", "pusht_image_slice_v30")
"""The others are refused by lerobot as they stand; tests/real has them."""

DELIBERATE = """\
Where a result is meant to be another than lerobot's, and so is not compared with it:
- pictures: lerobot's delete and split encode them anew; ours are the source's, bit for bit (group "edit").
  Between the two only the numbers that are painted on them count;
- task_index: lerobot sorts the texts after `modify_tasks`, ours are in the order of the source's list; the
  texts of the rows are compared;
- `modify_tasks` leaves one task to each episode; here those of several keep all where texts are replaced;
- statistics of index columns: lerobot carries those from before the episodes were renumbered;
- columns of episodes, keys of info.json and files that the format does not know: lerobot drops them;
- provenance: merged datasets say of each episode where it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A line of the result."""

    group: str
    dataset: str
    edit: str
    release: str
    verdict: str
    failed: bool


@dataclass(kw_only=True, slots=True)
class EditProof:
    """One run: datasets, edits, the folder they are made in, and the peers."""

    work: list[tuple[Source, Edit]]
    root: Path
    peers: dict[str, Peer]
    picture_every: int
    errors: dict[tuple[str, str], str] = field(default_factory=dict)
    """Why roboreel did not make an edit, by dataset and edit."""

    def rows(self) -> list[Row]:
        for source in self._sources():
            copy_writable(source.path, self._original(source))
        for source, edit in self.work:
            self._make(source, edit)
        theirs = self._let_lerobot_edit()
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(self._witness, self.peers))
        found = [row for pair in self.work for row in self._judge(*pair)]
        return found + [self._beside_lerobot(*pair, theirs) for pair in self.work if pair[1].theirs]

    def _sources(self) -> list[Source]:
        return list({source.name: source for source, _ in self.work}.values())

    def _original(self, source: Source) -> Path:
        return self.root / "originals" / source.name

    def _ours(self, source: Source, edit: Edit) -> Path:
        return self.root / "ours" / source.name / edit.name

    def _theirs(self, source: Source, edit: Edit) -> Path:
        return self.root / "theirs" / source.name / (edit.theirs or ("",))[0]

    def _reading(self, side: str, release: str, source: Source, name: str) -> Path:
        return self.root / "readings" / side / release / source.name / name

    def _make(self, source: Source, edit: Edit) -> None:
        say(f"making {source.name}: {edit.name}")
        out = self._ours(source, edit)
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            report = roboreel.write(edit.make(self._original(source)), out=out)
            if bool(report.frames_encoded) != bool(edit.encoded):
                self.errors[source.name, edit.name] = f"encoded {report.frames_encoded} frames"
        except roboreel.RoboreelError as error:
            self.errors[source.name, edit.name] = f"{type(error).__name__}: {error}"[:300]
        except Exception as error:  # a defect: shown as one, and the other edits go on
            self.errors[source.name, edit.name] = f"DEFECT {type(error).__name__}: {error}"[:300]

    def _let_lerobot_edit(self) -> dict[str, str | None]:
        """Errors of lerobot's edits, by the folder of their result."""
        jobs: dict[str, dict[str, Any]] = {}
        for source, edit in self.work:
            out = str(self._theirs(source, edit))
            if edit.theirs is None or source.version != "v3.0" or out in jobs:
                continue
            Path(out).parent.mkdir(parents=True, exist_ok=True)
            roots = [str(self._original(source))]
            if edit.pair:
                copy_writable(source.path, self.root / "pairs" / source.name)
                roots.append(str(self.root / "pairs" / source.name))
            operation, arguments = edit.theirs
            jobs[out] = {"operation": operation, "arguments": arguments, "roots": roots}
            jobs[out] |= {"out": out, "report": f"{out}.json"}
        say(f"letting lerobot {CONVERTER} edit {len(jobs)} times")
        died = self.peers[CONVERTER].run("edit_with_lerobot.py", list(jobs.values()))
        return {
            out: json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))["error"]
            if Path(f"{out}.json").is_file()
            else f"its process ended before: {died}"
            for out in jobs
        }

    def _witness(self, release: str) -> None:
        jobs = [
            self._job(self._original(s), self._reading("source", release, s, "all"), s.version, 1)
            for s in self._sources()
            if release in readers_of(s.version)
        ]
        for source, edit in self.work:
            if release in readers(edit, source) and (source.name, edit.name) not in self.errors:
                folder = self._reading("ours", release, source, edit.name)
                version = edit.version(source)
                jobs.append(self._job(self._ours(source, edit), folder, version))
            if release == CONVERTER and edit.theirs and source.version == "v3.0":
                folder = self._reading("theirs", release, source, edit.name)
                jobs.append(self._job(self._theirs(source, edit) / edit.part, folder, "v3.0"))
        say(f"lerobot {release} reads {len(jobs)} datasets")
        self.peers[release].run("read_with_lerobot.py", jobs)

    def _job(self, root: Path, out: Path, version: str, every: int = 0) -> dict[str, Any]:
        revision = version if version != "v3.0" else None
        every = every or self.picture_every
        keep = {"picture_every": every, "keep_pictures": True}
        return {"root": str(root), "out": str(out), "revision": revision, **keep}

    def _judge(self, source: Source, edit: Edit) -> Iterable[Row]:
        for release in readers(edit, source):
            row = Row(
                group="edit",
                dataset=source.name,
                edit=edit.name,
                release=release,
                verdict="same",
                failed=False,
            )
            if (source.name, edit.name) in self.errors:
                error = self.errors[source.name, edit.name]
                yield replace(row, verdict=f"roboreel: {error}", failed=True)
                continue
            left = load(self._reading("ours", release, source, edit.name), release=release)
            right = load(self._reading("source", release, source, "all"), release=release)
            if isinstance(left, str) or isinstance(right, str):
                verdict = f"ours: {left}" if isinstance(left, str) else f"the source: {right}"
                yield replace(row, verdict=verdict, failed=True)
                continue
            found = as_edited(left, right, edit)
            yield replace(row, verdict="; ".join(found) or "same", failed=bool(found))

    def _beside_lerobot(self, source: Source, edit: Edit, errors: dict[str, str | None]) -> Row:
        row = Row(
            group="peer",
            dataset=source.name,
            edit=edit.name,
            release=CONVERTER,
            verdict="same",
            failed=False,
        )
        error = errors.get(str(self._theirs(source, edit)), "it has no such version")
        if error or (source.name, edit.name) in self.errors:
            return replace(row, verdict=f"lerobot: {error}" if error else "ours is not there")
        left = load(self._reading("ours", CONVERTER, source, edit.name), release=CONVERTER)
        right = load(self._reading("theirs", CONVERTER, source, edit.name), release=CONVERTER)
        if isinstance(right, str):
            return replace(row, verdict=f"lerobot does not read its own: {right}")
        if isinstance(left, str):
            return replace(row, verdict=f"lerobot does not read ours: {left}", failed=True)
        found = as_theirs(left, right, numbered=source.release is not None)
        return replace(row, verdict="; ".join(found) or "same", failed=bool(found))


def readers_of(version: str) -> tuple[str, ...]:
    return ("0.6.1", "0.4.4") if version == "v3.0" else ("0.3.3",)


def as_edited(result: Reading, source: Reading, edit: Edit) -> list[str]:
    """How what a release reads of a result differs from what it reads of the source, edited here."""
    taken, lengths = rows_taken(source, edit)
    numbers = {
        edit.renamed.get(name, name): column[taken]
        for name, column in source.numbers.items()
        if name not in edit.removed
    }
    numbers |= {name: np.asarray(values) for name, values in edit.added.items()}
    numbers |= index_columns(source, lengths)
    numbers.pop("task_index", None)
    episode = np.repeat(np.arange(len(lengths)), lengths)
    tasks = [edit.tasks.get(int(episode[n]), source.tasks[taken[n]]) for n in result.indices]
    copied = [name for name in source.pictures if name not in edit.encoded]
    expected = Reading(
        length=len(taken),
        numbers=numbers,
        tasks=tasks,
        indices=result.indices,
        pictures={c: [source.pictures[c][taken[n]] for n in result.indices] for c in copied},
    )
    own = {name: column for name, column in result.numbers.items() if name != "task_index"}
    pictures = {name: hashes for name, hashes in result.pictures.items() if name in copied}
    found = differences(replace(result, numbers=own, pictures=pictures), expected, tolerance=0)
    for camera in edit.encoded:
        shown = painted(source.pixels(camera)[taken[result.indices]])
        if painted(result.pixels(camera)) != shown:
            found.append(
                f"camera {camera!r}: the painted numbers are not those of the source's rows"
            )
    return found


def rows_taken(source: Reading, edit: Edit) -> tuple[Column, Column]:
    """Row of the source by row of the result, and the lengths of the result's episodes."""
    of_episode = source.numbers["episode_index"].reshape(-1)
    parts = []
    for number, start, stop in edit.taken:
        parts.append(np.flatnonzero(of_episode == number)[start:stop])
    return np.concatenate(parts), np.array([len(part) for part in parts])


def index_columns(source: Reading, lengths: Column) -> dict[str, Column]:
    """What they must be after the edit, in the types that the release gives them."""
    frame = np.concatenate([np.arange(length) for length in lengths])
    whole = {
        "index": np.arange(len(frame)),
        "episode_index": np.repeat(np.arange(len(lengths)), lengths),
        "frame_index": frame,
    }
    longest = source.numbers["timestamp"][np.argsort(source.numbers["frame_index"].reshape(-1))]
    step = float(longest[-1]) / float(source.numbers["frame_index"].max())
    columns = {
        name: values.astype(source.numbers[name].dtype).reshape(-1, *source.numbers[name].shape[1:])
        for name, values in whole.items()
    }
    fps = round(1 / step)
    seconds = (frame / fps).astype(source.numbers["timestamp"].dtype)
    return columns | {"timestamp": seconds.reshape(-1, *source.numbers["timestamp"].shape[1:])}


def as_theirs(left: Reading, right: Reading, *, numbered: bool) -> list[str]:
    """How our result differs from lerobot's, but for what is deliberate."""
    found = [] if left.length == right.length else [f"{left.length} frames, not {right.length}"]
    numbers = [
        {name: column for name, column in side.numbers.items() if name != "task_index"}
        for side in (left, right)
    ]
    found += numbers_differ(*numbers)
    if left.tasks != right.tasks:
        found.append("rows stand under other tasks")
    if set(left.pictures) != set(right.pictures):
        found.append(f"cameras {sorted(left.pictures)}, not {sorted(right.pictures)}")
    elif numbered and not found:
        for camera in left.pictures:
            if painted(left.pixels(camera)) != painted(right.pixels(camera)):
                found.append(f"camera {camera!r}: other numbers are painted on its pictures")
    return found


def selected(data: Path, dataset: str, edit: str) -> list[tuple[Source, Edit]]:
    usable = [s for s in sources(data) if s.release or s.name in SOUND_IN_THE_WILD]
    return [
        (source, one)
        for source in usable
        if dataset in source.name
        for one in edits(source)
        if edit in one.name
    ]


def table(rows: list[Row]) -> str:
    lines = [("", "dataset", "edit", "lerobot", "verdict")]
    for row in rows:
        verdict = f"DIFFERS {row.verdict}" if row.failed else row.verdict
        lines.append((row.group, row.dataset, row.edit, row.release, verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    padded = [
        "  ".join([*(c.ljust(w) for c, w in zip(r, widths, strict=False)), r[4]]) for r in lines
    ]
    return "\n".join(padded)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peer", action="append", required=True, metavar="RELEASE=PYTHON")
    parser.add_argument("--data", type=Path, required=True, help="folder of the test datasets")
    parser.add_argument("--out", type=Path, help="keep the work in this new folder")
    parser.add_argument("--only", default="", help="datasets whose name contains this")
    parser.add_argument("--edit", default="", help="edits whose name contains this")
    parser.add_argument("--picture-every", type=int, default=5, help="of the results")
    options = parser.parse_args()
    work = selected(options.data.resolve(), options.only, options.edit)
    pythons = dict(peer.split("=", 1) for peer in options.peer)
    missing = {r for s, e in work for r in readers(e, s)} | {CONVERTER}
    if not work or missing - pythons.keys():
        say(f"no peer for lerobot {', '.join(sorted(missing - pythons.keys()))}, or nothing to do")
        return 2
    with ExitStack() as stack:
        root = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        root = root.resolve()
        peers = {
            release: Peer(release=release, python=Path(python), home=root / f"peer-{release}")
            for release, python in pythons.items()
        }
        proof = EditProof(work=work, root=root, peers=peers, picture_every=options.picture_every)
        rows = proof.rows()
    print(table(rows))
    print(DELIBERATE)
    print(f"{len(rows)} cases, {sum(row.failed for row in rows)} differ")
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
