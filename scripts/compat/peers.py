"""Runs the scripts that need lerobot in a release's own interpreter, offline, caches apart."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    release: str
    python: Path
    home: Path
    """Caches and temporary files of this release; private, so that no run sees another's."""
    source: Path | None = None
    """A `src` folder for the release's interpreter: to run roboreel there."""
    hub: str | None = None
    """Address of a Hub on this machine; None: offline."""

    def run(self, script: str, jobs: list[dict[str, Any]]) -> str | None:  # Any: JSON
        """Runs all jobs in one process, as importing lerobot takes seconds; returns why it died."""
        self._make_home()
        jobs_path = self.home / f"{Path(script).stem}.json"
        jobs_path.write_text(json.dumps(jobs), encoding="utf-8")
        command = [str(self.python), str(HERE / script), str(jobs_path)]
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, check=False
        )
        (self.home / f"{Path(script).stem}.log").write_text(done.stdout + done.stderr)
        return f"exit {done.returncode}: {done.stderr[-500:]}" if done.returncode else None

    def output(self, script: str, arguments: list[str]) -> str:
        """What a script prints, errors included."""
        self._make_home()
        command = [str(self.python), str(HERE / script), *arguments]
        done = subprocess.run(
            command,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        (self.home / f"{Path(script).stem}.log").write_text(done.stdout, encoding="utf-8")
        return done.stdout

    def _make_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "tmp").mkdir(exist_ok=True)

    def _environment(self) -> dict[str, str]:
        """PYTHONPATH is for this side: a peer sees nothing but its own environment, and `source`."""
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
        if self.source is not None:
            kept["PYTHONPATH"] = str(self.source)
        reached = {"HF_HUB_OFFLINE": "1"} if self.hub is None else {"HF_ENDPOINT": self.hub}
        return (
            kept
            | reached
            | {
                "HF_HOME": str(self.home / "hf"),
                "HF_DATASETS_CACHE": str(self.home / "datasets"),
                "TMPDIR": str(self.home / "tmp"),
            }
        )
