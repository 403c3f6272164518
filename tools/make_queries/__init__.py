"""Queries made from passages by rule."""
