"""Manifests: restricted, with probes and flags that the program has; what kustomize makes of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from streamspc.cli import _parse
from streamspc.serve.answers import Answers
from streamspc.settings import load

ROOT = Path(__file__).parents[2]
KUSTOMIZE = ROOT / "deploy" / "kustomize"
DEPLOYMENT = next(it for it in yaml.safe_load_all((KUSTOMIZE / "base" / "deployment.yaml").read_text()) if it["kind"] == "Deployment")
POD = DEPLOYMENT["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


def test_pods_are_restricted():
    """No root, no token, no writable root file system, no capabilities, a memory limit and no CPU limit."""
    secured = CONTAINER["securityContext"]

    assert (POD["securityContext"]["runAsNonRoot"], POD["securityContext"]["runAsUser"]) == (True, 65532)
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["automountServiceAccountToken"] is False
    assert secured == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert set(CONTAINER["resources"]["limits"]) == {"memory"}
    assert "USER 65532:65532" in (ROOT / "Dockerfile").read_text()


def test_probes_ask_addresses_that_there_are():
    """Each probe's path has an answer."""
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert Answers(list, "h").answer(CONTAINER[probe]["httpGet"]["path"], "").status != 404


def test_the_program_knows_its_arguments_and_has_time_to_drain():
    """The container's flags are the command's, the example is a right configuration, and its drain ends before the pod does."""
    local = load(KUSTOMIZE / "overlays" / "example" / "streamspc.yaml", {}).local

    assert _parse(CONTAINER["args"]).listen == ":9404"
    assert local.drain + local.kafka.transaction_timeout / 3 + 5 <= POD["terminationGracePeriodSeconds"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_the_example_is_built():
    """All kinds come out, in the namespace, with the image and the configuration under a name of its content."""
    done = subprocess.run(
        ["kubectl", "kustomize", "overlays/example"], cwd=KUSTOMIZE, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    made = {it["kind"]: it for it in yaml.safe_load_all(done.stdout)}
    pod = made["Deployment"]["spec"]["template"]["spec"]

    assert set(made) == {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "ServiceAccount"}
    assert {it["metadata"]["namespace"] for it in made.values()} == {"streamspc"}
    assert pod["containers"][0]["image"] == "registry.example.org/streamspc:0.1.0"
    assert pod["volumes"][0]["configMap"]["name"] == made["ConfigMap"]["metadata"]["name"] != "streamspc"
    assert made["PodDisruptionBudget"]["spec"]["selector"] == made["Deployment"]["spec"]["selector"]
