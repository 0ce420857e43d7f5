"""What the training engine costs, as ratios measured in one run: `make bench`."""
