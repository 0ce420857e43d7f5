"""The stages of dvc.yaml, each a module that a command runs."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

# dvc.yaml runs whatever `python` comes first on the PATH.
if sys.version_info < (3, 11) or not all(map(find_spec, ("astropy", "distributed", "keras", "mlflow", "tqdm"))):
    _ENVIRONMENT = Path(os.environ.get("DVC_ROOT", ""), ".venv")
    sys.exit(
        f"galmorph: {sys.executable} (Python {sys.version.split()[0]}) is not the project's environment, which has its "
        f"packages; make it with `make environment` if {_ENVIRONMENT} is not there yet, activate it with "
        f"`. {_ENVIRONMENT}/bin/activate`, and repeat the command"
    )

from galmorph.files.reading import source_files

# Before a stage imports anything: code that is edited from here on is not the code that runs.
IMPORTED = source_files()
PARENT = os.getppid()
