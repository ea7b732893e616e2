"""What the public is told: the exposure audit, the transparency pack, and the documents that a council asks for."""
