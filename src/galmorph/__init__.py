"""galmorph: galaxy morphology from survey frames to tables."""

from galmorph.environment import settle

__version__ = "0.1.0"

settle()
