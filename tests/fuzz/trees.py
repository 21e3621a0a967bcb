"""Mutations of the tree of files: what is there, and what kind of thing it is."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from tests.mutate import LFS_POINTER


def mutate_tree(root: Path, choose: random.Random) -> str:
    """Change what one name of the dataset stands for; says what was done."""
    everything = sorted(
        p for p in root.rglob("*") if not p.is_symlink() and (p.is_file() or p.is_dir())
    )
    files = [p for p in everything if p.is_file()]
    if not files:
        return "nothing is left"
    path = choose.choice(files) if choose.randrange(6) else choose.choice(everything)
    outside = root.parent / "outside"
    way = choose.randrange(13)
    name = path.relative_to(root)
    if way < 9:
        kept = outside / f"kept-{len(list(outside.iterdir()))}"
        path.rename(kept)
    if way == 0:
        return f"{name} is gone"
    if way == 1:
        path.touch()
        return f"{name} is empty"
    if way == 2:
        path.write_bytes(LFS_POINTER)
        return f"{name} is an LFS pointer"
    if way == 3:
        path.mkdir()
        return f"{name} is a folder"
    if way == 4:
        path.symlink_to(
            choose.choice((kept, Path("/etc/passwd"), Path("/dev/zero"), outside, Path("/nowhere")))
        )
        return f"{name} is a link out"
    if way == 5:
        path.symlink_to(choose.choice((path, root, path.parent, choose.choice(files))))
        return f"{name} is a link inside"
    if way == 6:
        os.mkfifo(path)
        return f"{name} is a pipe"
    if way == 7:
        pipe = outside / f"pipe-{kept.name}"
        os.mkfifo(pipe)
        path.symlink_to(pipe)
        return f"{name} is a link to a pipe"
    if way == 8:
        moved = choose.choice(everything)
        target = (moved if moved.is_dir() else root) / path.name
        if not target.exists():
            (shutil.copytree if kept.is_dir() else shutil.copy)(kept, target)
        return f"{name} lies elsewhere"
    return _added(root, choose)


_NAMES = (
    b"a\nb", b"\xff\xfe.json", b"\x1b[31m.txt", b"-rf", b"..x", b"meta/ x", b"meta/modality.json",
    b"meta/\xe2\x80\xaegnp", b"meta/tasks.parquet", b"meta/episodes.jsonl", b"meta/stats.json",
    b"meta/deep/er/x",
    b"data/chunk-000/\xff/episode_000000.parquet", b"data/episode_000001.parquet", b"x.partial", b".hidden",
    b"meta/info.json.partial", b"meta/info.json/x", b"meta/con\x7f", b"meta/episodes/chunk-000/x.parquet",
    b"videos/a\nb/file-000.mp4",
)  # fmt: skip


def _added(root: Path, choose: random.Random) -> str:
    name = choose.choice(_NAMES)
    path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
    if path.exists() or any(p.is_file() for p in path.parents):
        return f"{name!r} was there"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (
        OSError
    ) as error:  # an earlier mutation made a link there that leads nowhere, or to itself
        return f"{name!r} has no place: {error.strerror}"
    way = choose.randrange(5)
    if way == 0:
        path.symlink_to("../" * 9 + "etc/passwd")
    elif way == 1:
        os.mkfifo(path)
    else:
        path.write_bytes(b"{}\n")
    return f"{name!r} is new"
