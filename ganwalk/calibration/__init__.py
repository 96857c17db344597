"""How far directions may be walked before pictures leave the distribution, and at which pace.

`clouds` are unshifted samples and tell how far from them others lie, `walks` measures along every direction, `curves`
makes a `ganwalk.directions.reach.Reach` of that, and `figure` shows both.
"""
