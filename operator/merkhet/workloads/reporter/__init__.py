"""The small container beside the work, the only one with a token: it tells the cluster how the run goes."""
