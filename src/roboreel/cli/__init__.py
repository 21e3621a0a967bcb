"""The `roboreel` command."""
