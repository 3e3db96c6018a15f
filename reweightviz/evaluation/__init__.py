"""Laws on trial: compare them on runs held out, and doubt what they learnt."""
