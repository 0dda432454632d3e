"""A label in the words of others: NIST SP 800-226's claims, and a record of the OpenDP registry.

Both only rearrange what the label says. SP 800-226 (2025) orders what makes a guarantee into a
pyramid; its three layers are the keys of CLAIMS, from the top down, and governance is added below
them. The registry is github.com/opendp/deployments-registry-data, its schema as of July 2026; a
record is a draft until somebody fills in what is not stated.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from federation.coordinator.intervals import NOT_STATED

CLAIMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "privacy guarantee": {
        "privacy parameters": ("variant", "rho", "epsilon", "delta", "accountant"),
        "unit of privacy": (
            "privacy_unit",
            "neighboring_relation",
            "contribution_bound",
            "time_scope",
        ),
        "composition": ("pool", "composition", "unprotected", "tuning_on_real_data"),
    },
    "techniques": {
        "algorithms and correctness": (
            "kind",
            "mechanism",
            "library",
            "sampler",
            "post_processing",
        ),
        "utility": ("interval", "interval_with_sampling"),
        "bias": ("bias",),
    },
    "deployment": {
        "trust model": ("model", "cohort", "share_tolerance", "who_saw_what"),
        "side channels": ("side_channels",),
        "access control": ("access_control", "retention"),
        "data collection exposure": ("data_collection", "consent_epoch"),
    },
    "governance": {
        "purpose and decision": ("purpose", "justification", "approver", "review_date"),
        "evidence": ("plan", "run", "released_at", "log_index"),
    },
}
"""Layer → component → keys of the label. Every key stands in it once."""


def claims_of(label: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the label ordered by the components of SP 800-226's pyramid."""
    return {
        layer: {
            component: {key: label[key] for key in keys} for component, keys in components.items()
        }
        for layer, components in CLAIMS.items()
    }


def registry_record(label: Mapping[str, Any]) -> dict[str, Any]:
    """Return the label as a draft record of the deployments registry, tier 3."""
    bound = label["contribution_bound"]
    return {
        "url_slug": f"infosandbox-{label['run']}",
        "status": "Draft",
        "tier": 3,
        "deployment": {
            "basic": {
                "name": f"{label['kind']} {label['run']} for {label['purpose']}",
                "data_curators": list(label["cohort"]),
                "intended_use": label["justification"],
                "data_product_type": "Machine learning model"
                if label["kind"] == "training"
                else "Summary statistics",
                "data_product_region": NOT_STATED,
                "description": f"A {label['kind']} over {len(label['cohort'])} departments of one "
                f"firm, for the purpose {label['purpose']}. Plan {label['plan']}.",
                "publication_date": label["released_at"][:10],
                "data_product_sector": "Finance",
            },
            "dp_variant": {
                "variant_name": label["variant"],
                "data_domain": label["data_collection"],
                "unprotected_quantities": label["unprotected"],
            },
            "privacy_loss": {
                "privacy_unit": f"{label['privacy_unit']} level",
                "privacy_unit_details": f"{label['neighboring_relation']}: one "
                f"{label['privacy_unit']}, of whose clients at most {bound['clients']} count, in "
                f"at most {bound['departments']} departments, with {bound['rows_per_department']} "
                f"row each. Time scope: {label['time_scope']}.",
                "privacy_parameters": {key: label[key] for key in ("rho", "epsilon", "delta")},
                "privacy_parameters_details": f"rho is what was charged to {label['pool']}; "
                f"epsilon at delta by {label['accountant']}.",
            },
            "deployment_model": {
                "model_name": "Federated",
                "model_name_details": f"{label['model']}; noise holds against "
                f"{label['share_tolerance']} colluding departments.",
                "actors": label["who_saw_what"],
                "release_type": "Many releases",
                "release_type_details": label["time_scope"],
                "data_source_type": "Dynamic",
                "data_source_type_details": f"consent epoch {label['consent_epoch']}",
                "access_type": "Interactive",
                "access_type_details": label["composition"],
            },
            "accounting": {
                "post_processing": label["post_processing"],
                "composition": label["composition"],
            },
            "implementation": {
                "preprocessing_and_hyperparameter_tuning": label["tuning_on_real_data"],
                "mechanisms": f"{label['mechanism']} by {label['library']}; sampler: "
                f"{label['sampler']}; side channels: {label['side_channels']}; access: "
                f"{label['access_control']}; retention: {label['retention']}",
                "justification": _decision(label),
            },
            "administrative": {
                "sources": NOT_STATED,
                "notes": f"bias: {label['bias']}; transparency log: {label['log_index']}",
                "registry_authors": ["infosandbox"],
            },
        },
    }


def _decision(label: Mapping[str, Any]) -> str:
    approver = label["approver"]
    if not isinstance(approver, str):
        approver = "; ".join(f"{one['officer']}: {one['reason']}" for one in approver)
    return f"{label['justification']} Approved by {approver}. Review: {label['review_date']}."


def to_yaml(form: Mapping[str, Any]) -> str:
    """Write a label or one of its forms as YAML, in the order of its keys."""
    text: str = yaml.safe_dump(dict(form), allow_unicode=True, sort_keys=False, width=100)
    return text
