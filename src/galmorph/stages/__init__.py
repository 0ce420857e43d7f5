"""One thin module per DVC stage: read the settings, call, write."""
