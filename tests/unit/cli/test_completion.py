"""Completion as bash asks for it: the script that `roboreel` prints, run by bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ASK = """
source <(_ROBOREEL_COMPLETE=source_bash roboreel)
complete -p roboreel | grep -q _roboreel_completion || exit 3
while read -r line; do
    read -ra COMP_WORDS <<< "$line"
    [[ $line == *"|" ]] && COMP_WORDS[-1]=""
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _roboreel_completion roboreel
    echo "${COMPREPLY[*]}"
done
"""
"""`|` stands for a word that has not begun."""

_OFFERED = {
    "roboreel de": "delete demo",
    "roboreel delete x --epi": "--episodes",
    "roboreel convert x --ray": "--ray-address",
    "roboreel convert x --to |": "v2.0 v2.1 v3.0",
    "roboreel cache |": "build info clear",
    "roboreel edit x.view.json de": "delete",
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash completes")
@pytest.mark.slow
def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    command = tmp_path / "roboreel"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m roboreel "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    done = subprocess.run(
        ["bash", "--norc", "-c", _ASK],
        input="".join(f"{line}\n" for line in _OFFERED),
        env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert dict(zip(_OFFERED, done.stdout.split("\n"), strict=False)) == _OFFERED
