"""Batches in, a trained module out; knows no term by name."""
