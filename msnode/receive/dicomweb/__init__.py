"""STOW-RS: instances that come by HTTP (PS3.18 10.5)."""
