"""What a Swarm refuses."""

import numpy as np
import pandas as pd
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.swarm import Swarm


@pytest.mark.parametrize(
    ("domains", "targets", "sentence"),
    [
        (("web", "web"), ("loss",), "each domain may stand once in a Swarm; 'web' came more often"),
        (
            ("web", "code"),
            ("loss", "loss"),
            "each target may stand once in a Swarm; 'loss' came more often",
        ),
    ],
)
def test_a_name_stands_once(domains, targets, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        Swarm(
            domains,
            np.full((3, 2), 0.5),
            targets,
            np.ones((3, len(targets))),
            pd.DataFrame(index=range(3)),
        )
