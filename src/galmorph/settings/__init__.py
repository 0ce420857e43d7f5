"""params.yaml as frozen, typed objects, and the paths of the pipeline's files."""
