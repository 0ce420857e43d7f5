"""From frames and positions to a set of stamps."""
