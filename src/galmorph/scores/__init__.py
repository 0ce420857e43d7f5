"""From predictions to scores and their intervals."""
