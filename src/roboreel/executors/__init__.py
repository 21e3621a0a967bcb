"""Run any jobs: in this process, in threads, in watched processes, or on a Ray cluster."""
