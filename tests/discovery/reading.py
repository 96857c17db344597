"""A reader of factors that are whatever a test says."""

from ganwalk.discovery.factors import Factor


class Reading:
    """Factors as functions of the first style: by name, the kind and the function."""

    needs_images = False
    identity = "reading"

    def __init__(self, **functions):
        self.functions = functions
        self.factors = tuple(Factor(name, kind) for name, (kind, _) in functions.items())

    def read(self, styles, images):
        return [function(styles[:, 0]) for _, function in self.functions.values()]
