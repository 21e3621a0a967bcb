"""Statistics: moments, merging, histograms, quantiles. Pure: arrays in, arrays out."""
