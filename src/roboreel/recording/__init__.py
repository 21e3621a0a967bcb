"""Record episodes frame by frame; every saved episode is on the disk."""
