"""The simulated survey: drawn galaxies, in frames such as the archive's, with simulated votes."""

from galmorph.sources.simulated.survey import acquire

__all__ = ["acquire"]
