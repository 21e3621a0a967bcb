"""Write episodes into a dataset, one at a time: whole files, committed together."""
