"""Where galaxies come from; each source leaves the same files in data/raw."""
