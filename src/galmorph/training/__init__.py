"""From stamps and a split to the records of trained runs."""
