"""Hostile input from a seed: records for every stage's intake, requests for every route. What comes out is counted."""
