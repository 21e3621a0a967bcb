"""The result as an attempt at an op sees it: only while its run is at work can a file be finished."""

from __future__ import annotations

import os

from roboreel.storage.local import LocalRoot
from roboreel.storage.modes import USUAL, Modes
from roboreel.storage.scratch import is_scratch


class AttemptRoot(LocalRoot):
    """A result's folder whose unfinished files are in another one, which the run makes and removes.

    An attempt that goes on after its run is over, where nobody could stop it, fails and leaves nothing: it
    makes neither of the two folders again.
    """

    def __init__(self, path: str, *, unfinished: str, modes: Modes = USUAL) -> None:
        super().__init__(path, modes=modes)
        self._unfinished, self._within = unfinished, self.url

    def _at(self, name: str) -> str:
        last = name.rpartition("/")[2]
        return f"{self._unfinished}{os.sep}{last}" if is_scratch(last) else super()._at(name)

    def _inside(self, name: str) -> str:
        return self._at(name) if is_scratch(name.rpartition("/")[2]) else super()._inside(name)
