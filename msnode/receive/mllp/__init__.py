"""HL7 v2 over MLLP: the listener, its connections, and who may send."""
