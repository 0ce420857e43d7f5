"""The report: tables, figures and the page, computed from what MLflow holds."""
