"""params.yaml as frozen, typed objects, and where the pipeline's files lie."""
