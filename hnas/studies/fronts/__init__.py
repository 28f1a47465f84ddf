"""What came out: fronts, picks, baselines, hypervolume, points for figures, drawings."""
