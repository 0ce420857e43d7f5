"""What `galmorph classify` and `galmorph show` do: arguments -> files, and what a person reads."""
