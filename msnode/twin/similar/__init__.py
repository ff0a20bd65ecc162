"""Who is like a patient: in the node's own record, and among people that others have published."""
