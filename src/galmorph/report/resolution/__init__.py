"""Chapter 5: what happens when training and test data differ in spatial resolution."""
