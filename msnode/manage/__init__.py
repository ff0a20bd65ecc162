"""What people ask and do, by page or by command."""
