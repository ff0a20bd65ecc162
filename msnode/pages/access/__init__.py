"""Who somebody is, and what he may see and do."""
