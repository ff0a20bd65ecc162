"""What a training run does, as one frozen value that is written into its run directory."""

from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msnode.errors import ConfigError

OUTLINES = "lesion_unet"
"""The architecture that outlines lesions; it classifies nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of a run; ``PRESETS`` has the papers'."""

    architecture: str = "hybrid"
    """Name in the table of classifiers, or ``svm`` or ``decision_tree``."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Of the architecture's class."""
    positive: str = "ms"
    """The label that class 1 stands for."""
    target: Literal["label", "lesions"] = "label"
    """label: the row's own; lesions: whether the slice bears a lesion, from the row's mask."""
    epochs: int = 10
    """Passes over the training images."""
    batch: int = 32
    """Images per step."""
    lr: float = 1e-4
    """Highest learning rate of AdamW."""
    weight_decay: float = 0.01
    """Of AdamW."""
    mixup: float = 0.0
    """Alpha of Beta(alpha, alpha); 0 turns mix-up off."""
    augment: bool = True
    """Rotation, flip, scale and intensity changes of training images."""
    locations: float = 1.0
    """Weight of the location-wise loss where rows have lesion masks; 0 turns it off, and then
    ``two_stage`` on lesions learns from the label of the slice alone."""
    pseudo_controls: float = 0.45
    """``two_stage`` on lesions: part of the slices whose lesions are filled in."""
    moved: float = 0.5
    """``two_stage`` on lesions: part of the slices that get lesions of another head."""
    filled: bool = True
    """``target`` lesions: slices with their lesions filled in teach (``two_stage``), calibrate and
    are measured on; false: only slices as they are, by their label, as the papers do."""
    steps: int = 1500
    """``lesion_unet``: optimizer steps."""
    two_stage: bool = False
    """``hybrid``: train the extractors, cache their features, train the LSTM on them."""
    examples: int = 2000
    """``two_stage``: augmented images whose features are cached."""
    fusion_steps: int = 800
    """``two_stage``: steps of 32 cached examples that the LSTM learns from."""
    patience: int = 5
    """Epochs without a better validation loss before it stops; 0 never stops early."""
    slab_mm: list[float] = field(default_factory=list)
    """Slices in this range below the top of the head are taken, e.g. [0, 105]; empty takes all."""
    max_slices: int = 0
    """Of each scan at most, evenly spread; 0 takes all."""
    tile_px: int = 0
    """Of pictures of blood smears: side of the squares that they are cut into, in their pixels. 0:
    the images are no smears."""
    start: str = ""
    """``two_stage`` on lesions, ``lesion_unet``: fold folder of an earlier run, which goes on."""
    weights: str = ""
    """Files of pretrained weights for the backbones, with torchvision's names (safetensors);
    commas between several."""
    frozen: bool = False
    """``two_stage``: leave the backbones as ``weights`` has them, and cache their maps once."""
    seed: int = 0
    """Makes the run repeatable, bit for bit on a CPU."""
    sensitivity: float = 0.9
    """Wanted on the validation persons; the operating point follows."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "lr", "examples", "fusion_steps", "steps"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above 0")
            if not isfinite(getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be finite")
        for name in ("seed", "patience", "weight_decay", "mixup", "locations", "max_slices"):
            if not 0 <= getattr(self, name) < inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        for name in ("pseudo_controls", "moved"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1]")
        numbers = [mm for mm in self.slab_mm if isinstance(mm, int | float)]
        if len(self.slab_mm) not in (0, 2) or len(numbers) != len(self.slab_mm):
            raise ConfigError(f"slab_mm is {self.slab_mm}; it must be two distances or none")
        if self.tile_px and not 16 <= self.tile_px <= 4096:
            raise ConfigError(f"tile_px is {self.tile_px}; it must be 0, or from 16 to 4096")
        if not 0 < self.sensitivity <= 1:
            raise ConfigError(f"sensitivity is {self.sensitivity}; it must be in (0, 1]")


PRESETS: dict[str, dict[str, Any]] = {
    "hybrid-section-5.5": {
        "arguments": {"units": 100}, "epochs": 10, "lr": 1e-4, "mixup": 0.2, "two_stage": True,
    },
    "hybrid-table-1": {
        "arguments": {"units": 150}, "epochs": 25, "lr": 1e-6, "mixup": 0.2, "two_stage": True,
    },
    "hybrid-end-to-end": {"arguments": {"units": 100}, "epochs": 10, "lr": 1e-4, "mixup": 0.2},
    "shipped": {
        "target": "lesions", "two_stage": True, "epochs": 165, "batch": 16, "lr": 1.5e-3,
        "weight_decay": 0.02, "mixup": 0.2, "examples": 1280, "fusion_steps": 1000, "patience": 0,
        "slab_mm": [0.0, 105.0],
    },
    "lesions": {
        "architecture": "lesion_unet", "target": "lesions", "batch": 8, "lr": 2e-3,
        "weight_decay": 0.02, "steps": 1500,
    },
    "shallow-cnn": {"architecture": "shallow_cnn", "epochs": 20, "lr": 1e-4},
    "swin": {"architecture": "swin", "epochs": 20, "lr": 1e-4},
    "swin-smears": {"architecture": "swin", "epochs": 20, "lr": 1e-4, "tile_px": 224},
    "svm": {"architecture": "svm"},
    "decision-tree": {"architecture": "decision_tree"},
}  # fmt: skip
"""By paper and section; see docs/models.md."""
ABOUT = {
    "hybrid-section-5.5": "Palaniappan & Rathinavelayutham 2025, section 5.5: two stages, mix-up",
    "hybrid-table-1": "the same paper, Table 1",
    "hybrid-end-to-end": "the same network, all of it at once",
    "shipped": "the recipe of models/hybrid; needs a lesion mask in every row",
    "lesions": "the recipe of models/lesions, which outlines; needs a lesion mask in every row",
    "shallow-cnn": "Rajabzadeh et al. 2025: four blocks, 64x64",
    "swin": "RAAK KIEM.HT.01.079: Swin-T",
    "swin-smears": "the same for blood smears, which are cut into tiles",
    "svm": "Rajabzadeh et al. 2025, a rival",
    "decision-tree": "Rajabzadeh et al. 2025, a rival",
}
"""What each of the presets is."""


def plan(preset: str | None = None, **changes: Any) -> Plan:
    """A preset's plan with changes.

    Raises:
        ConfigError: no such preset, or no such setting.
    """
    if preset is not None and preset not in PRESETS:
        raise ConfigError(f"preset {preset!r} is unknown; use one of {', '.join(PRESETS)}")
    known = set(Plan.__slots__)
    if unknown := sorted(set(changes) - known):
        raise ConfigError(
            f"{', '.join(unknown)}: no such setting; known: {', '.join(sorted(known))}"
        )
    given = {name: _typed(name, value) for name, value in changes.items()}
    return Plan(**{**(PRESETS[preset] if preset else {}), **given})


def _typed(name: str, value: Any) -> Any:
    """A setting of the right type; YAML reads 1e-4 as a string, which here is a number.

    Raises:
        ConfigError: another type than the setting's.
    """
    wanted = get_type_hints(Plan)[name]
    if wanted is float and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{name} is {value!r}; it must be a number") from error
    choices = get_args(wanted) if get_origin(wanted) is Literal else ()
    if choices and value not in choices:
        raise ConfigError(f"{name} is {value!r}; use one of {', '.join(choices)}")
    kind = str if choices else get_origin(wanted) or wanted
    if type(value) is not kind:
        raise ConfigError(f"{name} is {value!r}; it must be of type {kind.__name__}")
    return value


def plain(value: Plan) -> dict[str, Any]:
    """The plan as plain values for JSON."""
    return asdict(value)
