"""Stamps at another spatial resolution, and networks tested on them."""
