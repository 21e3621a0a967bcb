"""Video files as packets: index, write, decode, encode."""
