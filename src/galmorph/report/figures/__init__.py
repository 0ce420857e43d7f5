"""The figures: functions from numbers to matplotlib figures, in one house style."""
