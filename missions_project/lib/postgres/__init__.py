"""PostgreSQL, told before each statement whose rows are within reach (`missions_project.lib.walls`)."""
