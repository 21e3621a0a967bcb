"""`roboreel compact` leaves out what no episode references only where it is told to."""

from __future__ import annotations

from pathlib import Path

import roboreel
from roboreel.testing import make_dataset
from tests.command import run_here
from tests.unit.check.breaks import CAMERAS, LENGTHS, fewer_rows


def test_compact_leaves_unreferenced_frames_out_only_on_request(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=LENGTHS, cameras=CAMERAS)
    fewer_rows(root)
    (hidden, _) = roboreel.check(root).of("note")
    assert hidden.message.startswith("no episode uses 2 frames of this video (")
    refused = run_here("compact", root, "-o", tmp_path / "b")
    assert refused.returncode == 1
    assert "no episode uses 4 frames and 0 files" in refused.stderr
    assert "--drop-unreferenced" in refused.stderr
    assert not (tmp_path / "b").exists()
    done = run_here("compact", root, "-o", tmp_path / "b", "--drop-unreferenced")
    assert done.returncode == 0
    assert "left out: 4 frames and 0 files" in done.stderr
    assert "video.hidden" not in {p.rule for p in roboreel.check(tmp_path / "b").problems}


def test_compact_needs_no_permission_where_all_is_referenced(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=LENGTHS, cameras=CAMERAS)
    assert run_here("compact", root, "-o", tmp_path / "b").returncode == 0


def test_check_names_the_repair_of_each_rule(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=LENGTHS, cameras=CAMERAS)
    fewer_rows(root)
    found = run_here("check", root)
    assert f"roboreel repair {root}" in found.stdout
    assert "  left out, unless a used frame needs them for decoding [video.hidden]" in found.stdout
    told = {p["repair"] for p in roboreel.check(root).to_json()["problems"]}
    assert "recomputed" in told
    sound = make_dataset(tmp_path / "b", version="v3.0", episodes=LENGTHS, cameras=CAMERAS)
    assert "roboreel repair" not in run_here("check", sound).stdout
