"""Checks that take longer than tests: commands that print numbers and draw figures."""
