"""Files of places and areas, read where nothing of the project's settings is known.

``ingestion.places.child`` runs in a process of its own. Nothing here may import ``missions_project``: it reads the installation's
``.env`` as soon as it is imported, and with it every key.
"""
