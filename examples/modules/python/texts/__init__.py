"""Texts that the program brings along."""
