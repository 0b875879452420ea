"""`status --watch`: what the database says of its jobs, again and again, on a page, in lines, or as data."""
