"""The database of studies: opened, checked, read and written, through outages."""
