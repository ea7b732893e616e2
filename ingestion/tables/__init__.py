"""Tables that people upload, looked into where nothing of the project's settings is known, before a worker imports them.

``ingestion.tables.child`` runs in a process of its own and reads them with ``ingestion.sources``, as an import does.
"""
