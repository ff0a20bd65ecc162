"""Every Prometheus name in one place; labels never carry patient data (see docs/metrics.md)."""

from prometheus_client import Counter, Gauge, Histogram, Info

INSTANCES = Counter(
    "msnode_instances_total", "Instances that came, by C-STORE or STOW-RS, by answer.", ["outcome"]
)  # stored, fetched (an earlier study that we asked for), duplicate, own (our result coming back),
# refused, failed
CONFLICTS = Counter(
    "msnode_conflicts_total", "Instances stored whose UID was here already with other content."
)
RECEIVED_BYTES = Counter("msnode_received_bytes_total", "Bytes of the datasets stored.")
REFUSALS = Counter(
    "msnode_refusals_total", "Associations, messages and instances kept out, by rule.", ["rule"]
)  # as in docs/metrics.md
PACED_SECONDS = Counter(
    "msnode_paced_seconds_total", "Waits of peers that ask much and bring nothing."
)
TLS_STALE = Gauge(
    "msnode_tls_stale", "1 while a listener's new TLS files cannot be used.", ["setting"]
)  # receive.tls, receive.dicomweb.tls, receive.hl7.tls
ASSOCIATIONS = Counter("msnode_associations_total", "Associations by outcome.", ["outcome"])
STOW_REQUESTS = Counter(
    "msnode_stow_requests_total", "STOW-RS requests by status of the answer.", ["status"]
)  # broken: the connection ended before; no_connection
FHIR_REQUESTS = Counter(
    "msnode_fhir_requests_total", "Requests of FHIR by status of the answer.", ["status"]
)
CLINICAL_SEARCHES = Counter(
    "msnode_clinical_searches_total",
    "Searches for patients at FHIR sources, by outcome.",
    ["source", "outcome"],
)  # answered, failed (asked again), given_up (asked again as of the next day)
CLINICAL_TOLD = Counter(
    "msnode_clinical_told_total",
    "What other systems told of patients by FHIR, by way and what became of it.",
    ["way", "outcome"],
)  # bundle, search; added, known, passed (about something else), refused
HL7_MESSAGES = Counter(
    "msnode_hl7_messages_total",
    "HL7 v2 messages that came, by kind and outcome.",
    ["kind", "outcome"],
)  # used, ignored, refused (kept for an administrator), rejected (not kept), repeated, postponed
# (no disk or database)
HL7_BROKEN = Counter(
    "msnode_hl7_broken_total", "Connections and messages of MLLP that ended badly.", ["reason"]
)  # half (a message of which only a part came), framing, timeout, expired, no_connection
STUDIES = Counter("msnode_studies_total", "Studies finished, by outcome.", ["outcome"])
# present, absent, undetermined, not_analysed, failed
FAULTS = Counter(
    "msnode_faults_total",
    "Studies not analysed, outlined or compared for a fault of the node, by reason.",
    ["reason"],
)  # as in analysis.FAULTS
COMPLETIONS = Counter("msnode_completions_total", "Studies taken as complete.", ["reason"])
# evidence, idle, interrupted, fewer, cap; priors: for earlier studies that came later
QUEUE_DEPTH = Gauge("msnode_queue_depth", "Studies by state.", ["state"])
STOPPED_JOBS = Gauge("msnode_stopped_jobs", "Jobs that wait for an administrator.", ["state"])
# dead, cancelled
RESULT_SECONDS = Histogram(
    "msnode_result_seconds",
    "From a study's last instance to its result delivered.",
    ["destination"],
    buckets=(5, 10, 15, 20, 30, 45, 60, 120, 300, 600, 1800, 3600, 21600, 86400),
)
STAGE_SECONDS = Histogram(
    "msnode_stage_seconds",
    "Processing time of a study by stage.",
    ["stage"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
LESIONS = Histogram(
    "msnode_lesions",
    "Lesions outlined in a study.",
    buckets=(0, 1, 2, 5, 10, 20, 50, 100, 200),
)
LESION_ML = Histogram(
    "msnode_lesion_ml",
    "Volume of the lesions outlined in a study, ml.",
    buckets=(0, 0.5, 1, 2, 5, 10, 20, 50, 100),
)
LESION_DOUBTS = Counter(
    "msnode_lesion_doubts_total",
    "Outlined studies by what speaks against their outlines.",
    ["reason"],
)  # mass, void, unplaced, outside_age, outside_distance
COMPARISONS = Counter(
    "msnode_comparisons_total",
    "Outlined studies by comparison with an earlier visit.",
    ["status", "reason"],
)  # compared, not_compared, no_prior; of not_compared the code of the reason, else ""
LIKENESS = Histogram(
    "msnode_registration_likeness",
    "Correlation of two visits' brains after registration.",
    buckets=(0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1),
)
TWINS = Gauge("msnode_twins", "Patients on record, by a study or a clinical event.")
CLINICAL_EVENTS = Gauge("msnode_clinical_events", "Clinical events on record.", ["kind"])
# as in docs/twin.md
EXPECTATIONS_SCORED = Gauge(
    "msnode_expectations_scored", "Newest predictions that could be scored.", ["quantity"]
)  # new lesions, load, EDSS
EXPECTATION_COVERAGE = Gauge(
    "msnode_expectation_coverage",
    "Part of them whose value lay in the 80 % interval; 0.8 is right.",
    ["quantity"],
)
INFERENCE_SECONDS = Histogram(
    "msnode_inference_seconds",
    "Time of one batch on the device.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
DELIVERIES = Counter(
    "msnode_deliveries_total",
    "Result objects by destination and outcome.",
    ["destination", "outcome"],
)  # sent (its proof is outstanding), delivered, retried, dead, superseded
COMMITMENTS = Counter(
    "msnode_commitments_total",
    "Requests for storage commitment by destination and outcome.",
    ["destination", "outcome"],
)  # requested, committed, incomplete (the report names failures), unanswered
QUARANTINED = Counter(
    "msnode_quarantined_total", "Files and results kept back, by reason.", ["reason"]
)
AUDIT = Counter("msnode_audit_total", "Audit messages by target.", ["target", "outcome"])
# written, lost
DECODER_DEATHS = Counter(
    "msnode_decoder_deaths_total",
    "Processes lost while they read a study, by what they did and why.",
    ["function", "reason"],
)  # has_wanted, prepare_into, study_date, write; crashed, memory, late
PRIOR_SEARCHES = Counter(
    "msnode_prior_searches_total",
    "Attempts to get earlier studies, by source and outcome.",
    ["source", "outcome"],
)  # done, retried, given_up, postponed (hours, rate)
PRIORS = Counter(
    "msnode_priors_total", "Earlier studies by source and outcome.", ["source", "outcome"]
)  # kept, unusable, failed (an attempt to fetch it)
FREE_BYTES = Gauge("msnode_data_free_bytes", "Free space on the data disk.")
WATERMARK_BYTES = Gauge(
    "msnode_data_watermark_bytes", "Free space below which it is low or refused.", ["level"]
)  # warn, refuse
DELETED_BYTES = Counter(
    "msnode_deleted_bytes_total", "Bytes deleted by the rules of retention.", ["kind"]
)  # images, results, visits, quarantine, backups, fetched, fetched_visits
DOCUMENTS = Counter(
    "msnode_documents_total", "SRs from outside that were read, by outcome.", ["state", "why"]
)  # counted, unverified, unrelated; of unclear why, as in docs/feedback.md, else ""
REPORT_SEARCHES = Counter(
    "msnode_report_searches_total", "Studies whose reports the PACS was asked for.", ["outcome"]
)  # asked, failed
DRIFT_KNOWN = Gauge(
    "msnode_drift_known", "1 where it is known whether input or output drifts.", ["part"]
)  # input, output
DRIFT_MISSING = Gauge(
    "msnode_drift_missing_studies", "Studies that are missing until it is known.", ["part"]
)
DRIFT_PSI = Gauge(
    "msnode_drift_psi",
    "Population stability index of the last block of studies.",
    ["value", "against"],
)  # as in docs/drift.md; baseline, training
DRIFT_ALARM = Gauge(
    "msnode_drift_alarm", "1 where a value is other than it was, beyond chance.", ["value"]
)  # absent while it is not known
DRIFT_NEW_SCANNERS = Gauge(
    "msnode_drift_new_scanners", "Scanners of the last block that the baseline does not know."
)
PERIODIC_SECONDS = Histogram(
    "msnode_periodic_seconds",
    "Time of one run of a periodic task.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60),
)  # as in service/upkeep.py
AHEAD = Counter(
    "msnode_ahead_total", "Studies worked on before they were complete, by outcome.", ["outcome"]
)  # used: no image came any more; stale: one did, and the work was for nothing
PERIODIC_FAILURES = Counter(
    "msnode_periodic_failures_total", "Runs of a periodic task that failed.", ["task"]
)
PAGES_ENDS = Counter(
    "msnode_pages_ends_total", "Times that the process of the pages ended by itself."
)
SHADOW_RESULTS = Counter(
    "msnode_shadow_results_total", "Comparisons with shadow bundles, by outcome.", ["outcome"]
)  # compared, failed, gone (images deleted before), dropped (too many waited)
SHADOW_SECONDS = Histogram(
    "msnode_shadow_seconds",
    "Time of a shadow bundle for one study.",
    buckets=(1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
SHADOW_BACKLOG = Gauge("msnode_shadow_backlog", "Comparisons with shadow bundles that wait.")
SHADOW_ENDS = Counter(
    "msnode_shadow_ends_total", "Times that the process of the shadow bundles ended by itself."
)
NOTICES = Counter(
    "msnode_notices_total", "Notices by mail server or chat.", ["receiver", "outcome"]
)  # sent, failed
READY = Gauge("msnode_ready", "1 while /readyz answers 200.")
BUILD = Info("msnode_build", "Version of the program and of the model it serves.")
