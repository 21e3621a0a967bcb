"""`python -m roboreel`."""

from __future__ import annotations

from roboreel.cli.main import main

if __name__ == "__main__":
    main()
