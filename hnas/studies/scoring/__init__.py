"""What a candidate is worth: features, scores, screening, and the runner that records them."""
