"""A worker that does not see the dataset ends the call: on its node, all files would seem to be missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import roboreel
from roboreel.checking.scan import scan_tables
from roboreel.dataset.open import open_dataset
from roboreel.executors.make_executor import SerialExecutor
from roboreel.survey.survey import survey
from roboreel.testing import make_dataset

UNSEEN = r"a worker on '.+' cannot see '.+/a': datasets, output and working folder must be"


def test_a_check_says_which_folder_a_worker_does_not_see(tmp_path: Path) -> None:
    dataset = open_dataset(make_dataset(tmp_path / "a", episodes=(3, 4), cameras={}))
    inventory = survey(dataset)
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(roboreel.RunError, match=UNSEEN):
        scan_tables(dataset, inventory, SerialExecutor())
