"""Run plans: kernels, executors, commit."""
