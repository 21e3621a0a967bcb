"""Read and write bytes, tables and packets; knows nothing about episodes."""
