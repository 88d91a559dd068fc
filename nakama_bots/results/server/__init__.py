"""What a server says about itself: its metrics, its log, and the machine and the database under it. Pure."""
