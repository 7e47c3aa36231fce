"""The part of gophersnake that runs inside the hosted interpreter; the core carries its source."""
