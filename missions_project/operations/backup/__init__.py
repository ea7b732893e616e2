"""Backups: one sealed archive of database, model files and uploads, and the way back."""
