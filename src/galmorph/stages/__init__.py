"""The stages of dvc.yaml, each a module that a command runs."""

import os

from galmorph.files.reading import source_files

# Before a stage imports anything: code that is edited from here on is not the code that runs.
IMPORTED = source_files()
PARENT = os.getppid()
