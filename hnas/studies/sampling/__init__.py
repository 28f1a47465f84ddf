"""NSGA-II for workers that do not wait for each other."""
