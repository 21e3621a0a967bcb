"""What scripts written for lerobot expect: its old names, its helpers, builtin errors, optional packages."""
