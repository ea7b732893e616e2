"""What every address of the API shares: errors in one shape, pages by cursor, marks of what a client has already."""
