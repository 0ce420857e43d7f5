"""One galaxy of a study: what is known of it, and what the networks said."""
