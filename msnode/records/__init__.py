"""The frozen records that travel from stage to stage; stages share these and nothing else."""

from msnode.records.images import (
    Float32Array,
    Float64Array,
    HeadGate,
    InputContract,
    Limit,
    Prepared,
    SeriesChoice,
    Slices,
    SourceFrame,
    SourcePoint,
    Study,
    key,
)
from msnode.records.receipt import Commitment, Receipt
from msnode.records.results import (
    Decision,
    Finding,
    ModelInfo,
    Predecessor,
    Prior,
    Report,
    Scores,
    SliceFinding,
)
from msnode.records.vocabulary import BRAIN, Coded, Vocabulary

__all__ = [
    "BRAIN",
    "Coded",
    "Commitment",
    "Decision",
    "Finding",
    "Float32Array",
    "Float64Array",
    "HeadGate",
    "InputContract",
    "Limit",
    "ModelInfo",
    "Predecessor",
    "Prepared",
    "Prior",
    "Receipt",
    "Report",
    "Scores",
    "SeriesChoice",
    "SliceFinding",
    "Slices",
    "SourceFrame",
    "SourcePoint",
    "Study",
    "Vocabulary",
    "key",
]
