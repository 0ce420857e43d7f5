"""The embedded survey: galaxies drawn to a seed, in frames such as the archive holds, with simulated votes."""

from galmorph.sources.simulated.survey import acquire

__all__ = ["acquire"]
