"""SDSS and Galaxy Zoo files: names, frames, labels, redshifts."""
