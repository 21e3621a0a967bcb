"""Makes the trees that are read: copies of the sources, and conversions by roboreel's command."""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from cases import Tree

import roboreel


@dataclass(kw_only=True, slots=True)
class Workshop:
    """Makes each tree once below `root`, and remembers what failed."""

    root: Path
    errors: dict[Tree, str] = field(default_factory=dict)
    made: set[Tree] = field(default_factory=set)

    def path(self, tree: Tree) -> Path:
        chain = "-".join(("original", *tree.hops))
        return self.root / tree.writer / tree.source.name / chain

    def make(self, tree: Tree) -> None:
        """Converts the tree of one hop fewer; without hops copies: no peer may see the original."""
        if tree in self.made or tree in self.errors:
            return
        if not tree.hops:
            copy_writable(tree.source.path, self.path(tree))
        else:
            self._convert(replace(tree, hops=tree.hops[:-1]), tree)
        if tree not in self.errors:
            self.made.add(tree)

    def _convert(self, before: Tree, tree: Tree) -> None:
        self.make(before)
        if before in self.errors:
            self.errors[tree] = self.errors[before]
            return
        error = convert(self.path(before), self.path(tree), version=tree.version)
        if error:
            self.errors[tree] = error


def copy_writable(source: Path, target: Path) -> None:
    """Copies contents, not modes: a source may be read-only, and lerobot converts in place."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for folder in (target, *target.rglob("*/")):
        if folder.is_dir():
            folder.chmod(0o755)


def convert(source: Path, target: Path, *, version: str) -> str | None:
    """Runs the command as a user would; returns its complaint, None when it went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "roboreel", "convert", str(source)]
    command += ["--to", version, "-o", str(target), "--quiet"]
    for camera in sorted(roboreel.open(source).missing_cameras):
        command += ["--allow-missing", camera]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    said = (done.stderr or done.stdout).strip()
    return f"exit {done.returncode}: {' '.join(said.split())[-400:]}"
