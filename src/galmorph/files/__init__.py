"""Files: written atomically, read with errors that name the file and the remedy."""
