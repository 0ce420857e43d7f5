"""galmorph: galaxy morphology from survey frames to tables."""

__version__ = "0.1.0"
