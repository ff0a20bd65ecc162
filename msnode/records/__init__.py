"""The frozen records that travel from stage to stage; stages share these and nothing else.

Nothing is gathered here, so that who only wants a receipt does not load NumPy.
"""
