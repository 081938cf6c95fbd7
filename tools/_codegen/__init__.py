"""The generator of the wire types: schemas and patches in, two families of Python modules out."""
