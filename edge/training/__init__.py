"""How the eyes were made: clips and rendered scenes in, one small detector out. Needs the `train` extra to run."""
