"""`roboreel cache`: decoded frames that readers and later runs take instead of decoding them again."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.output import count, emit_json, human_bytes, say, table
from roboreel.cli.progress import progress
from roboreel.cli.stopping import stoppable
