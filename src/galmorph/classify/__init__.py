"""Galaxies that no run has seen, classified by the networks that a study kept.

Examples
--------
In the folder of a finished study:

>>> import numpy as np
>>> from galmorph.classify import load_ensemble
>>> stamps = np.load("data/cutouts/images.npy")[:5]
>>> load_ensemble("three_class").classify(stamps).columns[:2].tolist()
['predicted', 'p_spiral']
"""

from galmorph.classify.ensemble import Ensemble
from galmorph.classify.trained import load_ensemble

__all__ = ["Ensemble", "load_ensemble"]
