"""The simulated survey held against real data: commands that print distances and draw figures."""
