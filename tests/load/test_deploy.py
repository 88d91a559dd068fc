"""The manifests and the compose file: valid, consistent with each other, the command line and the docs."""

from __future__ import annotations

import json
import re
import shlex
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from locust.argument_parser import get_parser

import nakama_bots.load  # noqa: F401  -- registers the arguments
from nakama_bots.load import arguments
from nakama_bots.settings import guard
from nakama_bots.settings.exports import Listen
from nakama_bots.settings.resolve import CONFIG_VARIABLE, Settings
from nakama_bots.settings.table import SETTINGS

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
MANIFESTS = sorted(KUBERNETES.rglob("*.yaml"))
SECRET = {"nakama-bots": {"server_key"}}  # created by hand, as config.yaml says
VARIABLES = {setting.variable for setting in SETTINGS} | {CONFIG_VARIABLE}


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


RESOURCES = {path.relative_to(KUBERNETES).as_posix(): read(path) for path in MANIFESTS}
PODS = {
    name: body["spec"]["template"] for name, body in RESOURCES.items() if "template" in body.get("spec", {})
}


def container(name: str) -> dict[str, Any]:
    [only] = PODS[name]["spec"]["containers"]
    return dict(only)


def locust_options(given: list[str]) -> Namespace:
    return Namespace(**vars(get_parser(default_config_files=[]).parse_args(given)))


@pytest.mark.parametrize("name", RESOURCES)
def test_manifests_match_the_schema_of_the_api(name: str) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    validate.validate(RESOURCES[name], validate.latest_version(), strict=True)


def test_the_masters_and_workers() -> None:
    roles = {name: pod["metadata"]["labels"]["role"] for name, pod in PODS.items()}
    assert roles == {"master.yaml": "master", "headless/master.yaml": "master", "worker.yaml": "worker"}
    # Applying the folder starts only one of the two masters.
    assert [path.name for path in KUBERNETES.glob("*.yaml") if RESOURCES[path.name]["kind"] == "Job"] == []


@pytest.mark.parametrize("name", PODS)
def test_a_pod_agrees_with_the_other_manifests(name: str) -> None:
    resource, pod, locust = RESOURCES[name], PODS[name], container(name)
    labels = pod["metadata"]["labels"]
    selector = resource["spec"].get("selector", {}).get("matchLabels", labels)
    assert selector.items() <= labels.items()
    assert locust["image"] in (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")

    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", ())}
    assert {mount["name"] for mount in locust.get("volumeMounts", ())} == set(volumes)
    named = {(body["kind"], body["metadata"]["name"]) for body in RESOURCES.values()}
    for volume in volumes.values():
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in named
        else:
            assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in named
    for variable in locust.get("env", ()):
        assert variable["name"] in VARIABLES
        if "valueFrom" in variable:
            reference = variable["valueFrom"]["secretKeyRef"]
            assert reference["key"] in SECRET[reference["name"]]


@pytest.mark.parametrize("name", PODS)
def test_locust_accepts_the_arguments_of_a_pod(name: str) -> None:
    given = locust_options(container(name)["args"])
    role = PODS[name]["metadata"]["labels"]["role"]
    assert (given.master, given.worker) == (role == "master", role == "worker")
    if given.headless:
        assert given.expect_workers == RESOURCES["worker.yaml"]["spec"]["replicas"]


def test_workers_find_the_master() -> None:
    service = RESOURCES["service.yaml"]
    given = locust_options(container("worker.yaml")["args"])
    assert given.master_host == service["metadata"]["name"]
    ports = {port["name"]: port for port in service["spec"]["ports"]}
    assert ports["workers"]["port"] == given.master_port == locust_options([]).master_bind_port
    assert ports["web"]["port"] == locust_options([]).web_port
    for name in ("master.yaml", "headless/master.yaml"):
        assert service["spec"]["selector"].items() <= PODS[name]["metadata"]["labels"].items()
        open_ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
        for port in ports.values():
            assert open_ports[port["targetPort"]] == port["port"]


def test_the_master_uses_its_settings(tmp_path: Path) -> None:
    [(file_name, text)] = RESOURCES["config.yaml"]["data"].items()
    (tmp_path / file_name).write_text(text, encoding="utf-8")
    settings = Settings.resolve({}, {"NAKAMA_SERVER_KEY": "defaultkey"}, tmp_path / file_name)
    assert settings.target is not None
    guard.check_target(settings, settings.target)
    for name in ("master.yaml", "headless/master.yaml"):
        mounts = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
        environment = {variable["name"]: variable.get("value") for variable in container(name)["env"]}
        assert environment[CONFIG_VARIABLE] == f"{mounts['config']}/{file_name}"
        assert settings.reports == Path(mounts["reports"])
        guard.check_users(settings, locust_options(container(name)["args"]).num_users or 0)


@pytest.fixture
def compose() -> dict[str, Any]:
    return dict(read(ROOT / "compose.yaml")["services"])


def test_compose_is_consistent(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.chdir(ROOT)
    master, worker = (locust_options(compose[name]["command"]) for name in ("master", "worker"))
    assert master.master
    assert worker.worker
    assert compose[worker.master_host] is compose["master"]
    settings = arguments.resolve(master)
    assert settings.target is not None
    assert settings.target.host in compose
    guard.check_target(settings, settings.target)
    assert f"127.0.0.1:{master.web_port}:{master.web_port}" in compose["master"]["ports"]
    assert f"127.0.0.1:{settings.target.port}:{settings.target.port}" in compose["nakama"]["ports"]
    for name in ("master", "worker"):
        assert (ROOT / compose[name]["build"] / "Dockerfile").is_file()
        assert compose[name]["profiles"] == ["locust"]
        # A scaled container has no fixed name and no host port.
    assert not compose["worker"].keys() & {"container_name", "ports"}


def test_prometheus_and_grafana_agree_with_the_run(compose: dict[str, Any]) -> None:
    master = locust_options(compose["master"]["command"])
    listen = Listen.parse(master.nakama_prometheus)
    assert listen.host == "0.0.0.0"  # other containers must reach it
    mounted: dict[str, str] = {}
    for name in ("prometheus", "grafana"):
        assert compose[name]["profiles"] == ["observe"]
        assert all(port.startswith("127.0.0.1:") for port in compose[name]["ports"])
        for volume in compose[name]["volumes"]:
            file, place, mode = volume.split(":")
            assert (ROOT / file).is_file()
            assert mode == "ro"
            mounted[place] = file
    jobs = read(ROOT / mounted["/etc/prometheus/prometheus.yml"])["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"][0] for job in jobs}
    assert targets["nakama_bots"] == f"master:{listen.port}"
    assert targets["nakama"].split(":")[0] in compose
    source = read(ROOT / mounted["/etc/grafana/provisioning/datasources/nakama_bots.yaml"])["datasources"][0]
    assert source["url"].split("/")[2].split(":")[0] in compose
    dashboards = read(ROOT / mounted["/etc/grafana/provisioning/dashboards/nakama_bots.yaml"])["providers"][0]
    assert f"{dashboards['options']['path']}/nakama-bots.json" in mounted


def test_grafana_can_lay_out_the_dashboard() -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "nakama-bots.json").read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    for panel in panels:
        for target in panel.get("targets", ()):
            used = set(re.findall(r"\$\{?([a-z]+)", json.dumps(target)))
            assert used <= variables, panel["title"]
            expression = target["expr"]
            assert all(expression.count(a) == expression.count(b) for a, b in ("()", "{}", "[]"))


def documented() -> Iterator[list[str]]:
    """Every command line of the page, without comments, with continued lines joined."""
    page = (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


def test_the_documented_commands_are_valid() -> None:
    commands = list(documented())
    locusts = [words[1:] for words in commands if words[0] == "locust"]
    assert len(locusts) >= 3
    for given in locusts:
        options = locust_options(given)
        assert (ROOT / options.locustfile).is_file()
    scaled = [words for words in commands if "--scale" in words]
    services = read(ROOT / "compose.yaml")["services"]
    assert scaled
    for words in scaled:
        assert words[words.index("--scale") + 1].split("=")[0] in services
        assert words[words.index("--profile") + 1] in services["worker"]["profiles"]
    for words in commands:
        if words[0] == "kubectl" and "-f" in words:
            assert (ROOT / words[words.index("-f") + 1]).exists()
        if words[0] == "kubectl" and "scale" in words:
            assert words[words.index("deployment") + 1] == RESOURCES["worker.yaml"]["metadata"]["name"]
