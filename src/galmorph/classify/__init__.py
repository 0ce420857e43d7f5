"""Galaxies that no run has seen, classified by the networks that a study kept.

In Python: ``load_ensemble("two_class").classify(stamps)``.
"""

from galmorph.classify.ensemble import Ensemble
from galmorph.classify.trained import load_ensemble

__all__ = ["Ensemble", "load_ensemble"]
