"""`--verbose`: what the logger `roboreel` says goes to stderr."""

from __future__ import annotations

import logging

from roboreel.cli.text.output import tell


class _OnStderr(logging.Handler):
    """Prints records by the function that prints all messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        tell(self.format(record))


def log_more(times: int) -> int:
    """Print records of level INFO on stderr; returns `times`."""
    if times:
        logger = logging.getLogger("roboreel")
        logger.setLevel(logging.INFO)
        if not any(isinstance(one, _OnStderr) for one in logger.handlers):
            handler = _OnStderr()
            handler.setFormatter(logging.Formatter("%(relativeCreated)7.0f ms  %(message)s"))
            logger.addHandler(handler)
    return times
