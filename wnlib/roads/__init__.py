"""Three roads to the end of a flow, with the same arguments: limit, integrate and descend."""
