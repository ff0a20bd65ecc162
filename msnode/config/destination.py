"""What every destination has, and those that get result objects."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Literal

from msnode.config.constraints import Label, Seconds, in_order


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS by BCP 195 (PS3.15 B.12): the site's CA signs both sides' certificates."""

    certificate: Path
    """PEM file with our certificate chain."""
    key: Path
    """PEM file with our private key; readable by the service's user alone."""
    ca: Path
    """PEM file with the certificates that may sign a peer's."""

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """Key and path of each file."""
        return tuple((one.name, getattr(self, one.name)) for one in fields(self))


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential back-off with jitter: 10 s, 20 s, 40 s … 15 min, for two days by default."""

    first_s: Seconds = 10.0
    """Before the second attempt."""
    longest_s: Seconds = 900.0
    """The pause never exceeds this."""
    give_up_s: Seconds = 172800.0
    """After so long the result is dead-lettered and alerted."""

    def contradictions(self) -> Iterator[str]:
        """Times of which the second must not be the shorter one."""
        yield from in_order(self, "first_s", "longest_s")
        yield from in_order(self, "first_s", "give_up_s")


@dataclass(frozen=True, slots=True)
class Form:
    """In which form a destination gets its result objects, where DICOM has several."""

    sr: Literal["comprehensive", "comprehensive-3d"] = "comprehensive"
    """SOP Class of the measurement SR, the content is the same: Comprehensive SR, or Comprehensive
    3D SR, which IHE AIR asks for and some PACS do not take."""
    overlay: Literal["single-frame", "multi-frame"] = "single-frame"
    """A Secondary Capture a slice, or one Multi-frame True Color Secondary Capture."""
    transfer_syntax: Literal[
        "ExplicitVRLittleEndian", "RLELossless", "JPEG2000Lossless", "JPEGLSLossless"
    ] = "ExplicitVRLittleEndian"
    """Of montage and overlay, by its keyword (PS3.6 A). A peer that does not take a compressed one
    gets them uncompressed."""


@dataclass(frozen=True, slots=True)
class NamedDestination:
    """What every destination has; a kind of its own adds where it is.

    Attributes:
        WHAT: the kind, as a sentence names it.
    """

    WHAT: ClassVar[str]

    name: Label
    """Appears in logs, metrics and receipts: no patient data, unique."""
    retry: Retry = field(default_factory=Retry, kw_only=True)
    """How long a failed delivery is tried again."""

    @property
    def place(self) -> object:
        """Where it brings to; equal for two that bring to the same."""
        raise NotImplementedError

    @property
    def node(self) -> tuple[str, str]:
        """As the audit trail knows it: what it is called, and its network address or ""."""
        return self.name, ""

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """Key and path of each file that it needs of this host."""
        return ()

    @property
    def proof(self) -> str:
        """How it proves that it keeps what it was sent; "none": its answer is all there is."""
        return "none"


@dataclass(frozen=True, slots=True)
class ObjectDestination(NamedDestination):
    """A destination that gets result objects, not the result in short."""

    profile: Literal["minimal", "standard", "full"] = field(default="minimal", kw_only=True)
    """minimal: SR and montage; standard: and readable SR and overlay; full: everything."""
    form: Form = field(default_factory=Form, kw_only=True)
    """In which form; a change counts for the studies that are reported after it."""

    @property
    def objects(self) -> str:
        """Names its result objects, the same for destinations that get the same ones.

        The profile, and of the form what is not usual: ``standard-multi-frame-RLELossless``.
        """
        both = zip(astuple(self.form), astuple(Form()), strict=True)
        return "-".join((self.profile, *(chosen for chosen, usual in both if chosen != usual)))

    def contradictions(self) -> Iterator[str]:
        """A form of what the profile does not have."""
        if self.profile == "minimal" and self.form.overlay != Form().overlay:
            yield "form.overlay: does nothing for the profile minimal; delete it, or take standard"


def under(section: str, tls: Tls | None) -> tuple[tuple[str, Path], ...]:
    """The files of a TLS section with their whole keys; none without the section."""
    return tuple((f"{section}.{key}", path) for key, path in tls.files) if tls else ()
